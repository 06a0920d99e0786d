#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"

// Delivery status notifications: the report on what became of a message.  RFC 3461 6, RFC 3464, RFC 6522; RFC 6533.
namespace postern::mail {

// What became of the message for one recipient.  The texts may hold anything.
struct DsnRecipient {
  // RFC 3464 2.3.3.  Relayed: handed to a server that does not promise to report; expanded: to the members of a list.
  enum class Action { failed, delayed, relayed, delivered, expanded };
  Action action = Action::failed;
  std::string address;      // whom it was to go to in the end
  std::string orcpt;        // RFC 3461 4.2, the value as it came, still encoded: "rfc822;ann@example.org"; "": none
  std::string status;       // RFC 3463: "5.1.1"; what is no such code becomes "5.0.0", "4.0.0" or "2.0.0" by the action
  std::string remote;       // the host that spoke; "": none
  std::string diagnostic;   // its words in one line, "550 5.1.1 No such user"; "": there are only ours
  std::string why;          // our sentence for a person; "": none
  Time last_attempt{};      // Time{}: there was none
  std::optional<Time> will_retry_until;   // shown while delayed only
};

struct Dsn {
  std::string reporting_mta;   // our host name
  std::string to;              // the envelope sender
  std::string envid;           // RFC 3461 4.4, the value as it came, still encoded; "": none
  std::string id;              // of this report, in its Message-ID and its boundary: letters, digits, "." and "-"
  Time arrival{};              // of the message
  Time now{};
  std::vector<DsnRecipient> recipients;   // one at least
  bool full = false;           // RET=FULL: the message comes back whole, otherwise its header
  // The message was SMTPUTF8: the report is RFC 6533's, with UTF-8 in its status part, and its status types "global".
  bool utf8 = false;
};

// Octets: a longer message is returned as its header alone, a longer header up to the last field that fits.
constexpr std::size_t kMaxReturnedMessage = 1024 * 1024;
constexpr std::size_t kMaxReturnedHeader = 64 * 1024;
// Octets of a remote's reply that are quoted.
constexpr std::size_t kMaxQuotedReply = 2000;

// The report as a whole message: multipart/report of a text for people, the status for programs, and `message` or its
// header.  Sound whatever is in the values: lines end with CRLF and have at most 998 octets, nothing breaks out of its
// field, and what we write is valid UTF-8.  It has octets above 127 in its header when `to` has, and elsewhere when
// something quoted has; the sender of the report looks at both (SMTPUTF8, 8BITMIME).
//
// `message` comes back octet for octet or as its header: whole with `full`, when a delivery failed (RFC 3461 4.3), within
// `limit`, and if its lines could be sent again (CRLF, at most 998 octets, no NUL).
//
// The caller must send it with MAIL FROM:<>, and never make one for a message that came with the null reverse-path
// (RFC 3461 6.1, RFC 5321 6.1), nor against the recipient's NOTIFY: two gateways would answer each other for ever.
std::string delivery_status_notification(const Dsn& dsn, std::string_view message, std::size_t limit = kMaxReturnedMessage);

}  // namespace postern::mail
