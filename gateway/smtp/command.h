#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/mail/address.h"

namespace postern::smtp {

enum class Verb { helo, ehlo, lhlo, mail, rcpt, data, bdat, rset, noop, quit, vrfy, expn, help, starttls, auth, xclient, xforward, unknown };

// A command line cut in verb and argument; the argument is trimmed, otherwise as sent.
struct Command {
  Verb verb = Verb::unknown;
  std::string argument;
};
Command parse_command(std::string_view line);

// The argument of MAIL or RCPT: `<path> KEY=VALUE KEY ...`, RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2.
struct PathArgument {
  mail::Path path;
  bool needs_utf8 = false;                                   // octets above 127 in it: SMTPUTF8 must be asked for
  std::vector<std::pair<std::string, std::string>> params;   // keyword in capitals, value or ""
};
// "FROM:<...>" for Kind::reverse, "TO:<...>" for forward.  A space behind the colon is forgiven: many
// clients send one.
Result<PathArgument> parse_path_argument(std::string_view argument, mail::PathKind kind);

// RFC 3461 4 xtext: "+2B" is "+"; nothing for a broken one.
Result<std::string> decode_xtext(std::string_view text);

}  // namespace postern::smtp
