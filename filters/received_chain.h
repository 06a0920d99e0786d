#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/mail/date.h"

// Received fields as all the world writes them.  RFC 5321 4.4.  Whoever sends a message can write any of them; only what our
// own servers wrote is true.
namespace postern::filters {

constexpr std::size_t kMaxHops = 50;         // read; later ones are only counted
constexpr std::size_t kMaxReceived = 2048;   // octets of one field

struct Hop {
  std::string helo;                     // the word behind "from", or what "HELO" or "helo=" in a comment says; lower case
  std::string reverse;                  // the name in the comment behind it, "" when there is none or "unknown"
  bool reverse_unknown = false;         // the comment says "unknown"
  std::optional<IpAddress> ip;          // of who handed it over
  bool ip_impossible = false;           // something in brackets looks like an IPv4 address and is none: [1.2.300.4]
  std::string by;                       // lower case
  std::string with;                     // upper case: "ESMTPS", "HTTP", ...
  std::string recipient;                // "for <...>"
  std::optional<mail::WrittenDate> date;
  bool readable = true;                 // false: neither "from" nor "by", or no date behind a semicolon

  bool authenticated() const;           // RFC 3848: ESMTPA, ESMTPSA, ...
};

// Never fails.  `raw` may be folded.
Hop read_hop(std::string_view raw);

// A host name that networks give to lines of homes: numbers of the address in it, or words like "dynamic", "dsl", "pool".
bool is_dialup_name(std::string_view host);

}  // namespace postern::filters
