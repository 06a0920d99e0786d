#pragma once

#include <string>
#include <string_view>

#include "gateway/mail/dsn.h"
#include "gateway/mail/headers.h"

// The two parts of a report that tell what happened; dsn.cc puts them together.
namespace postern::mail {

// For people: plain UTF-8 in lines of at most 78 octets where the words allow it.  `header` is that of the message,
// `returned` names what comes back with the report, "your whole message".
std::string status_for_people(const Dsn& dsn, const HeaderBlock& header, std::string_view returned);

// For programs: the fields of message/delivery-status, RFC 3464 2.1, in ASCII; with `utf8` those of
// message/global-delivery-status, RFC 6533 4.
std::string status_fields(const Dsn& dsn, bool utf8);

// Our host name as it may stand behind an "@".
std::string reporting_host(const Dsn& dsn);

}  // namespace postern::mail
