#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/smtp_client/extensions.h"

namespace postern::smtp_client {

struct Recipient {
  std::string address;   // "local@domain" as mail::Path::text() gives it
  std::string notify;    // RFC 3461 4.1 and 4.2, values as they came: "SUCCESS,FAILURE", "rfc822;ann@example.org"; "": none
  std::string orcpt;
};

struct Envelope {
  std::string sender;   // "": the null reverse-path
  std::vector<Recipient> recipients;
  std::string ret;      // RFC 3461 4.3 and 4.4, values as they came: "FULL" or "HDRS"; "": none
  std::string envid;
  bool eight_bit = false;   // octets above 127 in the message: BODY=8BITMIME, RFC 6152
  bool smtputf8 = false;    // octets above 127 in its header, RFC 6531; addresses are looked at here
};

// Can it stand between "<" and ">" in a command?  An address with a line end in it would be a second command.
bool is_speakable(std::string_view address);
// Only SMTPUTF8 can carry the message, or this recipient.
bool needs_utf8(const Envelope& envelope);
bool needs_utf8(const Recipient& recipient);

// Append a command line with what `offered` allows of its parameters.  `octets` is the message's size.
void append_mail(std::string& out, const Envelope& envelope, std::uint64_t octets, bool utf8, const Extensions& offered);
void append_rcpt(std::string& out, const Recipient& recipient, const Extensions& offered);

}  // namespace postern::smtp_client
