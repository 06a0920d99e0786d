#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/ip.h"

// URLs as browsers read them, WHATWG URL 4.4: what a link says is not always what a filter sees in it.
namespace postern::filters {

constexpr std::size_t kMaxUrlRead = 8192;   // octets; what lies behind is not read

struct Url {
  std::string scheme;        // lower case, without the colon; "" when the text has none and there is no base
  std::string host;          // lower case, as A-labels; an IPv4 address as dotted quad, IPv6 in brackets (RFC 5952); "" without one
  std::string unicode_host;  // the same as U-labels
  std::optional<IpAddress> address;      // of an IP host
  std::optional<std::uint16_t> port;     // when one is written
  std::string user;          // what stands before the "@" of the authority, password included
  std::string path;          // as written, to the query; for "data:" and its like everything behind the colon
  std::string query;         // without "?"
  std::string fragment;      // without "#"

  // How it was written.
  bool has_user = false;
  bool backslashes = false;      // for slashes
  bool odd_slashes = false;      // other than two behind the scheme
  bool inner_space = false;      // tabs or line ends inside, which browsers leave out
  bool encoded_host = false;     // "%" in the host
  bool odd_address = false;      // an IPv4 address in another form than a dotted quad
  bool bad_host = false;         // no browser would go there: `host` is as written
  bool bad_port = false;         // the same
  bool assumed_scheme = false;   // "www.a.example" and "a.example/x" of texts: http

  bool is_web() const { return scheme == "http" || scheme == "https" || scheme == "ftp"; }
  // Without its tricks: "http://a.example/x?y#z".
  std::string text() const;
};

// Never fails: what is no URL has neither scheme nor host.  `base`: what a relative one is relative to, or nullptr.
// A text without a scheme that begins with "www." is one of http.
Url parse_url(std::string_view text, const Url* base = nullptr);
// A link that a mail program made out of "a.example/x" in a text.
Url parse_bare_url(std::string_view text);

// "%41" as "A"; what is no such triple stays.
std::string percent_decoded(std::string_view text);

}  // namespace postern::filters
