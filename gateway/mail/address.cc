// Envelope paths: RFC 5321 4.1.2 with RFC 6531 3.3.  Address lists of headers are in address_list.cc.
#include "gateway/mail/address.h"

#include <algorithm>

#include "gateway/base/ip.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::mail {

namespace {

bool is_atext(char c) {
  return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// Cuts `count` octets off.
std::string_view take(std::string_view& rest, std::size_t count) {
  std::string_view found = rest.substr(0, count);
  rest.remove_prefix(found.size());
  return found;
}

Result<std::string> take_quoted(std::string_view& rest) {
  std::string local;
  for (std::size_t at = 1; at < rest.size(); ++at) {
    char c = rest[at];
    if (c == '"') {
      rest.remove_prefix(at + 1);
      return local;
    }
    if (c == '\\') {
      if (++at >= rest.size()) break;
      c = rest[at];
    }
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') return Error("control character in the local part");
    local += c;
  }
  return Error("quoted local part without its closing quote");
}

// More than RFC 5321 allows in one point: dots may stand anywhere, since real mailboxes have such names.
Result<std::string> take_local(std::string_view& rest) {
  if (rest.starts_with('"')) return take_quoted(rest);
  std::size_t end = 0;
  while (end < rest.size() && (is_atext(rest[end]) || rest[end] == '.')) ++end;
  if (end == 0) return Error("address has no local part");
  return std::string(take(rest, end));
}

Result<std::string> take_literal(std::string_view& rest) {
  auto end = rest.find(']');
  if (end == std::string_view::npos) return Error("address literal without its closing bracket");
  std::string_view inside = take(rest, end + 1).substr(1, end - 1);
  bool v6 = istarts_with(inside, "IPv6:");
  if (v6) inside.remove_prefix(5);
  auto address = IpAddress::parse(inside);
  bool written_as_v4 = inside.find(':') == std::string_view::npos;
  if (!address || v6 == written_as_v4) return Error("address literal is no IP address");
  return address->literal();
}

Result<std::string> take_domain(std::string_view& rest) {
  if (rest.starts_with('[')) return take_literal(rest);
  std::size_t end = 0;
  while (end < rest.size() && (is_alpha(rest[end]) || is_digit(rest[end]) || rest[end] == '-' || rest[end] == '.' ||
                               rest[end] == '_' || static_cast<unsigned char>(rest[end]) >= 0x80)) {
    ++end;
  }
  if (end == 0) return Error("address has no domain");
  std::string_view domain = take(rest, end);
  if (domain.size() > kMaxDomain) return Error("domain is longer than 255 octets");
  auto ascii = domain_to_ascii(domain);
  if (!ascii) return Error("domain is not valid");
  return *std::move(ascii);
}

// RFC 5321 C: "@a.example,@b.example:" in front of the mailbox is accepted and ignored.
Status skip_route(std::string_view& rest) {
  while (rest.starts_with('@')) {
    rest.remove_prefix(1);
    auto hop = take_domain(rest);
    if (!hop) return hop.error();
    if (rest.starts_with(':')) {
      rest.remove_prefix(1);
      return {};
    }
    if (!rest.starts_with(",@")) return Error("source route is not valid");
    rest.remove_prefix(1);
  }
  return {};
}

Status check_local(const std::string& local) {
  if (local.size() > kMaxLocal) return Error("local part is longer than " + std::to_string(kMaxLocal) + " octets");
  if (!is_utf8(local)) return Error("local part is not valid UTF-8");
  return {};
}

Result<Path> take_mailbox(std::string_view& rest) {
  auto local = take_local(rest);
  if (!local) return local.error();
  if (auto status = check_local(*local); !status) return status.error();
  Path path;
  path.local = *std::move(local);
  if (!rest.starts_with('@')) return path;
  rest.remove_prefix(1);
  auto domain = take_domain(rest);
  if (!domain) return domain.error();
  path.domain = *std::move(domain);
  return path;
}

bool is_dot_string(std::string_view local) {
  if (local.empty() || local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) return false;
  return std::all_of(local.begin(), local.end(), [](char c) { return is_atext(c) || c == '.'; });
}

}  // namespace

bool Path::needs_utf8() const { return !is_ascii(local); }

std::string Path::text() const {
  if (is_null()) return {};
  std::string out;
  if (is_dot_string(local)) {
    out = local;
  } else {
    out = "\"";
    for (char c : local) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return domain.empty() ? out : out + "@" + domain;
}

Result<Path> take_path(std::string_view& rest, PathKind kind, bool utf8) {
  if (!rest.starts_with('<')) return Error("address must stand in angle brackets");
  std::string_view before = rest;
  rest.remove_prefix(1);
  if (rest.starts_with('>')) {
    rest.remove_prefix(1);
    if (kind == PathKind::forward) return Error("recipient address is empty");
    return Path{};
  }
  if (auto status = skip_route(rest); !status) return status.error();
  auto path = take_mailbox(rest);
  if (!path) return path.error();
  if (!rest.starts_with('>')) {
    if (path->domain.empty() && rest.empty()) return Error("address has no closing angle bracket");
    return Error(rest.empty() ? "address has no closing angle bracket" : "character not allowed in an address");
  }
  rest.remove_prefix(1);
  if (!utf8 && !is_ascii(before.substr(0, before.size() - rest.size()))) {
    return Error("address is not ASCII and SMTPUTF8 was not asked for");
  }
  if (path->domain.empty() && !(kind == PathKind::forward && iequals(path->local, "postmaster"))) {
    return Error("address has no domain");
  }
  if (path->bracketed().size() > kMaxPath) return Error("address is longer than 256 octets");
  return path;
}

Result<Path> parse_address(std::string_view text) {
  auto path = take_mailbox(text);
  if (!path) return path.error();
  if (!text.empty()) return Error("character not allowed in an address");
  if (path->domain.empty()) return Error("address has no domain");
  if (path->bracketed().size() > kMaxPath) return Error("address is longer than 256 octets");
  return path;
}

}  // namespace postern::mail
