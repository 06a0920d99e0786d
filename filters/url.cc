// WHATWG URL 4.4 for schemes with authorities, and 3.5 for their hosts.
#include "filters/url.h"

#include <array>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxHost = 1024;

bool is_hex(char c) { return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); }
unsigned hex_value(char c) { return is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(ascii_lower(c) - 'a') + 10; }
bool is_slash(char c) { return c == '/' || c == '\\'; }

// Without what browsers leave out: controls and spaces around, tabs and line ends inside.
std::string cleaned(std::string_view text, Url& url) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    bool left_out = c == '\t' || c == '\n' || c == '\r';
    url.inner_space = url.inner_space || left_out;
    if (!left_out) out += c;
  }
  return out;
}

// "" when there is none.
std::string scheme_of(std::string_view text) {
  if (text.empty() || !is_alpha(text.front())) return {};
  for (std::size_t i = 0; i < text.size() && i < 32; ++i) {
    char c = text[i];
    if (c == ':') return ascii_lowered(text.substr(0, i));
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return {};
  }
  return {};
}

bool has_authority(std::string_view scheme) {
  for (std::string_view known : {"http", "https", "ftp", "ws", "wss", "file"}) {
    if (scheme == known) return true;
  }
  return false;
}

// One number of an IPv4 address; nullopt: it is none.  3.5, "IPv4 number parser".
std::optional<std::uint64_t> ipv4_number(std::string_view text) {
  unsigned base = 10;
  if (istarts_with(text, "0x")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  for (char c : text) {
    if (!is_hex(c) || hex_value(c) >= base) return std::nullopt;
    value = value * base + hex_value(c);
    if (value > 0xffffffffULL) value = 0x1'0000'0000ULL;   // too much, however it goes on
  }
  return value;
}

bool ends_in_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string_view last = host.substr(host.rfind('.') == std::string_view::npos ? 0 : host.rfind('.') + 1);
  if (last.empty()) return false;
  bool digits = last.find_first_not_of("0123456789") == std::string_view::npos;
  return digits || (istarts_with(last, "0x") && ipv4_number(last).has_value());
}

std::optional<IpAddress> ipv4_of(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  auto parts = split(host, '.');
  if (parts.size() > 4) return std::nullopt;
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) return std::nullopt;
    auto number = ipv4_number(parts[i]);
    bool last = i + 1 == parts.size();
    std::size_t octets = last ? 5 - parts.size() : 1;   // the last one fills what is left
    if (!number || *number >= 1ULL << (8 * octets)) return std::nullopt;
    address = address << (8 * octets) | *number;
  }
  return IpAddress::v4(static_cast<std::uint32_t>(address));
}

void set_address(Url& url, const IpAddress& address) {
  url.address = address;
  url.host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  url.unicode_host = url.host;
}

void read_host(std::string_view written, Url& url) {
  std::string host(written.substr(0, kMaxHost));
  if (host.find('%') != std::string::npos) {
    url.encoded_host = true;
    host = percent_decoded(host);
  }
  auto as_written = [&] {
    url.bad_host = true;
    url.host = url.unicode_host = ascii_lowered(host);
  };
  if (written.empty() || written.size() > kMaxHost) return as_written();
  if (host.front() == '[') {
    std::optional<IpAddress> address;
    if (host.ends_with(']')) address = IpAddress::parse(std::string_view(host).substr(1, host.size() - 2));
    if (!address) return as_written();
    return set_address(url, *address);
  }
  auto ascii = mail::domain_to_ascii(host);
  if (!ascii) return as_written();
  if (ends_in_number(*ascii)) {
    auto address = ipv4_of(*ascii);
    if (!address) return as_written();
    set_address(url, *address);
    url.odd_address = url.host != host;
    return;
  }
  url.host = std::move(*ascii);
  url.unicode_host = mail::domain_to_unicode(url.host);
}

void read_authority(std::string_view authority, Url& url) {
  if (std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.has_user = true;
    url.user = percent_decoded(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon + 1);
  if (!port.empty()) {
    auto number = parse_number(port);
    url.bad_port = !number || *number > 65535;
    if (!url.bad_port) url.port = static_cast<std::uint16_t>(*number);
  }
  read_host(authority.substr(0, colon), url);
}

// Path, query and fragment; backslashes are slashes as far as the path goes.
void read_rest(std::string_view rest, bool web, Url& url) {
  std::size_t hash = rest.find('#');
  if (hash != std::string_view::npos) url.fragment = rest.substr(hash + 1);
  rest = rest.substr(0, hash);
  std::size_t query = rest.find('?');
  if (query != std::string_view::npos) url.query = rest.substr(query + 1);
  url.path = rest.substr(0, query);
  if (!web) return;
  for (char& c : url.path) {
    url.backslashes = url.backslashes || c == '\\';
    if (c == '\\') c = '/';
  }
  if (url.path.empty()) url.path = "/";
}

// What stands behind the scheme and its slashes.
void read_web(std::string_view rest, Url& url) {
  std::size_t end = rest.find_first_of("/\\?#");
  read_authority(rest.substr(0, end), url);
  read_rest(end == std::string_view::npos ? std::string_view() : rest.substr(end), true, url);
}

std::size_t leading_slashes(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_slash(text[count])) ++count;
  return count;
}

void read_relative(std::string_view text, const Url& base, Url& url) {
  url.scheme = base.scheme;
  if (leading_slashes(text) >= 2) {
    url.backslashes = text.substr(0, leading_slashes(text)).find('\\') != std::string_view::npos;
    url.odd_slashes = leading_slashes(text) != 2;
    return read_web(text.substr(leading_slashes(text)), url);
  }
  url.host = base.host;
  url.unicode_host = base.unicode_host;
  url.address = base.address;
  url.port = base.port;
  bool absolute = leading_slashes(text) == 1;
  std::string folder = base.path.substr(0, base.path.rfind('/') == std::string::npos ? 0 : base.path.rfind('/') + 1);
  std::string path = absolute ? std::string(text) : (folder.empty() ? "/" : folder) + std::string(text);
  read_rest(path, true, url);
}

}  // namespace

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool triple = text[at] == '%' && at + 2 < text.size() && is_hex(text[at + 1]) && is_hex(text[at + 2]);
    if (triple) {
      out += static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

Url parse_url(std::string_view written, const Url* base) {
  Url url;
  std::string text = cleaned(written.substr(0, kMaxUrlRead), url);
  url.scheme = scheme_of(text);
  if (!url.scheme.empty()) {
    std::string_view rest = std::string_view(text).substr(url.scheme.size() + 1);
    if (!has_authority(url.scheme)) {
      read_rest(rest, false, url);
      return url;
    }
    std::size_t slashes = leading_slashes(rest);
    url.odd_slashes = slashes != 2;
    url.backslashes = rest.substr(0, slashes).find('\\') != std::string_view::npos;
    if (url.scheme == "file") {
      read_rest(rest, true, url);
    } else {
      read_web(rest.substr(slashes), url);
    }
    return url;
  }
  if (istarts_with(text, "www.")) {
    url.scheme = "http";
    url.assumed_scheme = true;
    read_web(text, url);
  } else if (base != nullptr && base->is_web() && !text.empty()) {
    read_relative(text, *base, url);
  } else if (leading_slashes(text) >= 2) {
    // Mail has no address of its own that it could be relative to; mail programs take http.
    Url web;
    web.scheme = "http";
    read_relative(text, web, url);
    url.assumed_scheme = true;
  } else {
    read_rest(text, false, url);
  }
  return url;
}

Url parse_bare_url(std::string_view text) {
  Url url = parse_url("http://" + std::string(text.substr(0, kMaxUrlRead)));
  url.assumed_scheme = true;
  return url;
}

std::string Url::text() const {
  std::string out;
  if (!scheme.empty()) out += scheme + ":";
  if (!host.empty()) out += "//" + host;
  if (port) out += ":" + std::to_string(*port);
  out += path;
  if (!query.empty()) out += "?" + query;
  if (!fragment.empty()) out += "#" + fragment;
  return out;
}

}  // namespace postern::filters
