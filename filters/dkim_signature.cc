// The guard in front of libopendkim: the grammar and the limits of a DKIM-Signature field.
#include "filters/dkim_signature.h"

#include <algorithm>

#include "filters/tag_list.h"
#include "gateway/base/result.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxField = 16 * 1024;
constexpr std::size_t kMaxHeaderList = 4000;   // libopendkim cuts at 4096 and would check less than was signed
constexpr std::size_t kMaxHeaderNames = 200;   // each is searched in the whole header
constexpr std::size_t kMaxIdentity = 250;
constexpr std::int64_t kClockDrift = 300;      // seconds

bool is_base64(std::string_view text) {
  if (text.empty()) return false;
  std::size_t padding = 0;
  for (char c : text) {
    if (c == '=') ++padding;
    else if (padding > 0 || !(is_alpha(c) || is_digit(c) || c == '+' || c == '/')) return false;
  }
  return padding <= 2;
}

bool is_field_name(std::string_view name) {
  if (name.empty()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127 && c != ':' && c != ';'; });
}

Status check_header_list(const TagList& tags) {
  auto list = tags.find("h");
  if (!list || trimmed(*list).empty()) return Error("h= is missing");
  if (list->size() > kMaxHeaderList) return Error("h= is too long");
  auto names = split(*list, ':');
  if (names.size() > kMaxHeaderNames) return Error("h= names too many fields");
  bool from = false;
  for (std::string_view name : names) {
    name = trimmed(name);
    if (!is_field_name(name)) return Error("h= has a bad field name");
    from = from || iequals(name, "from");
  }
  if (!from) return Error("h= does not name From");
  return {};
}

Status check_domains(const TagList& tags, ParsedSignature& out) {
  std::string domain(tags.find("d").value_or(""));
  std::string selector(tags.find("s").value_or(""));
  if (!is_dns_name(domain)) return Error("d= is no domain");
  if (!is_dns_name(selector)) return Error("s= is no selector");
  out.key_name = ascii_lowered(selector) + "._domainkey." + ascii_lowered(domain);
  if (!is_dns_name(out.key_name)) return Error("d= and s= are too long together");
  auto identity = tags.find("i");
  if (!identity) return {};
  std::string text = without_space(*identity);
  out.shown.identity = text;
  if (text.size() > kMaxIdentity) return Error("i= is too long");
  // RFC 6376 2.11 quoted-printable: libopendkim reads beyond the end of a value that ends in "=".
  for (std::size_t i = text.find('='); i != std::string::npos; i = text.find('=', i + 1)) {
    std::string_view digits = std::string_view(text).substr(i + 1, 2);
    if (digits.size() != 2 || !from_hex(digits)) return Error("i= is malformed");
  }
  std::size_t at = text.rfind('@');
  if (at == std::string::npos || text.find('@') != at) return Error("i= has no domain");
  std::string_view identity_domain = std::string_view(text).substr(at + 1);
  if (!is_within(identity_domain, domain)) return Error("i= is not of the domain d=");
  out.identity_below = !iequals(identity_domain, domain);
  return {};
}

Status check_ways(const TagList& tags, ParsedSignature& out) {
  if (tags.find("v") != "1") return Error("the version is not v=1");
  std::string canonicalization = without_space(tags.find("c").value_or("simple/simple"));
  auto halves = split(canonicalization, '/');
  for (std::string_view half : halves) {
    if (half != "simple" && half != "relaxed") return Error("c= is unknown");
  }
  if (halves.size() > 2) return Error("c= is unknown");
  out.relaxed_body = halves.size() == 2 && halves[1] == "relaxed";
  if (auto query = tags.find("q")) {
    bool dns = false;
    for (std::string_view way : split(*query, ':')) dns = dns || trimmed(way) == "dns/txt";
    if (!dns) return Error("q= names no way to the key that we know");
  }
  for (const char* name : {"b", "bh"}) {
    if (!is_base64(without_space(tags.find(name).value_or("")))) return Error(std::string(name) + "= is no base64");
  }
  if (auto length = tags.find("l")) {
    out.body_length = parse_number(*length);
    if (!out.body_length || *out.body_length > (1ULL << 50)) return Error("l= is no length");
  }
  return {};
}

Result<std::optional<std::uint64_t>> read_time(const TagList& tags, std::string_view name) {
  auto text = tags.find(name);
  if (!text) return std::optional<std::uint64_t>();
  auto number = parse_number(*text);
  if (!number || text->size() > 12) return Error(std::string(name) + "= is no time");  // RFC 6376 3.5: at most 12 digits
  return number;
}

// What is well-formed and yet not accepted.
void refuse(ParsedSignature& out, std::string why) {
  if (out.shown.result != DkimResult::none) return;
  out.shown.result = DkimResult::policy;
  out.shown.problem = std::move(why);
}

Status check(const TagList& tags, Time now, ParsedSignature& out) {
  if (auto right = check_ways(tags, out); !right) return right;
  if (auto right = check_domains(tags, out); !right) return right;
  if (auto right = check_header_list(tags); !right) return right;
  const std::string& algorithm = out.shown.algorithm;
  out.ed25519 = algorithm == "ed25519-sha256";
  if (algorithm.empty()) return Error("a= is missing");
  if (algorithm != "rsa-sha256" && algorithm != "rsa-sha1" && !out.ed25519) return Error("a= is unknown");

  auto signed_at = read_time(tags, "t");
  if (!signed_at) return signed_at.error();
  auto expires = read_time(tags, "x");
  if (!expires) return expires.error();
  out.signed_at = *signed_at;
  if (*expires && *signed_at && **expires <= **signed_at) return Error("x= is not after t=");
  auto today = static_cast<std::uint64_t>(std::max<std::int64_t>(to_unix(now), 0));
  // RFC 8301 3.1
  if (algorithm == "rsa-sha1") refuse(out, "rsa-sha1 is not accepted (RFC 8301)");
  if (*expires && today > **expires + kClockDrift) refuse(out, "the signature has expired");
  if (*signed_at && **signed_at > today + kClockDrift) refuse(out, "the signature is from the future");
  return {};
}

bool has_foreign_octets(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](char c) {
    auto octet = static_cast<unsigned char>(c);
    return octet > 126 || (octet < 32 && c != '\t' && c != '\r' && c != '\n');
  });
}

}  // namespace

ParsedSignature parse_dkim_signature(std::string_view value, Time now) {
  ParsedSignature out;
  auto wrong = [&](std::string why) {
    out.shown.result = DkimResult::permerror;
    out.shown.problem = std::move(why);
    return out;
  };
  if (value.size() > kMaxField) return wrong("the signature is too long");
  if (has_foreign_octets(value)) return wrong("the signature has octets that are not printable ASCII");
  auto tags = TagList::parse(value);
  if (!tags) return wrong("the signature is malformed: " + tags.error().text);
  out.shown.domain = ascii_lowered(tags->find("d").value_or("").substr(0, 255));
  out.shown.selector = ascii_lowered(tags->find("s").value_or("").substr(0, 255));
  out.shown.algorithm = tags->find("a").value_or("").substr(0, 40);
  out.shown.b_prefix = without_space(tags->find("b").value_or("")).substr(0, 8);
  if (auto right = check(*tags, now, out); !right) return wrong(right.error().text);
  out.well_formed = true;
  return out;
}

}  // namespace postern::filters
