#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace postern::mail {

// RFC 5321 4.5.3.1: octets.  Of a local part all must take 64, and may take more: senders that SRS or VERP have made
// are longer, and who refuses them refuses what was forwarded.
constexpr std::size_t kMaxDomain = 255;
constexpr std::size_t kMaxPath = 256;
constexpr std::size_t kMaxLocal = kMaxPath;

// An envelope address.  RFC 5321 4.1.2, RFC 6531 3.3.
struct Path {
  // Without quotes and escapes; its case is kept, RFC 5321 2.4.
  std::string local;
  // Canonical: lower case, U-labels as A-labels, no final dot; an address literal as "[192.0.2.1]" or
  // "[IPv6:2001:db8::1]"; "" for the null path and for a bare <Postmaster>.
  std::string domain;

  bool is_null() const { return local.empty() && domain.empty(); }
  bool is_postmaster_alone() const { return !local.empty() && domain.empty(); }
  bool is_literal() const { return domain.starts_with('['); }
  // Only SMTPUTF8 can carry it: the local part has octets above 127.
  bool needs_utf8() const;
  // "local@domain", the local part quoted where it must be; "" for the null path.
  std::string text() const;
  // The same in angle brackets: "<>" for the null path.
  std::string bracketed() const { return "<" + text() + ">"; }

  bool operator==(const Path&) const = default;
};

enum class PathKind {
  reverse,   // MAIL FROM: may be <>
  forward,   // RCPT TO: may be <Postmaster>, never <>
};

// Reads "<...>" at the start of `rest` and cuts it off (what follows are parameters).  Source routes are read and
// ignored (RFC 5321 C).  Without `utf8` (SMTPUTF8 was not asked for) octets above 127 are an error.
// An error names what is wrong in words fit for a 501 or 553 reply; `rest` is then unspecified.
Result<Path> take_path(std::string_view& rest, PathKind kind, bool utf8);

// A whole text, "local@domain" without brackets: configuration, command line, header addresses.
Result<Path> parse_address(std::string_view text);

// One entry of an address list in a header.
struct HeaderAddress {
  enum class Kind : unsigned char { mailbox, group_begin, group_end };
  Kind kind = Kind::mailbox;
  // The phrase, or else the comment behind the address: unquoted, encoded words untouched; the name of a group.
  std::string name;
  // As written, without comments, quotes and white space.  `domain` is empty where there was no "@".
  std::string local;
  std::string domain;

  // The name decoded to UTF-8.
  std::string display_name() const;
  // "local@domain"; "local" without a domain.
  std::string address() const;
  bool operator==(const HeaderAddress&) const = default;
};

constexpr std::size_t kMaxHeaderAddresses = 5000;

// From, To, Cc, ... : RFC 5322 3.4 with groups, comments, quoted strings and the obsolete forms of 4.4, and what
// senders really write.  `raw` may be folded.  Never fails; at most `limit` entries come out.
std::vector<HeaderAddress> parse_address_list(std::string_view raw, std::size_t limit = kMaxHeaderAddresses);

}  // namespace postern::mail
