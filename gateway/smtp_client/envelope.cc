// MAIL and RCPT as we say them: RFC 5321 4.1.1.2 and 4.1.1.3, RFC 1870, RFC 3461, RFC 6152, RFC 6531.
#include "gateway/smtp_client/envelope.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::smtp_client {
namespace {

// A parameter that is no word is left out: it is advice, and not worth a message.
void append_parameter(std::string& out, std::string_view name, std::string_view value) {
  bool is_word = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_word) return;
  out += name;
  out += value;
}

}  // namespace

bool is_speakable(std::string_view address) {
  return std::none_of(address.begin(), address.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

bool needs_utf8(const Envelope& envelope) { return envelope.smtputf8 || !is_ascii(envelope.sender); }
bool needs_utf8(const Recipient& recipient) { return !is_ascii(recipient.address); }

void append_mail(std::string& out, const Envelope& envelope, std::uint64_t octets, bool utf8, const Extensions& offered) {
  out += "MAIL FROM:<";
  out += envelope.sender;
  out += '>';
  if (offered.size && octets != 0) {
    out += " SIZE=";
    out += std::to_string(octets);
  }
  if (envelope.eight_bit && offered.eight_bit_mime) out += " BODY=8BITMIME";
  if (utf8) out += " SMTPUTF8";
  if (offered.dsn) {
    append_parameter(out, " RET=", envelope.ret);
    append_parameter(out, " ENVID=", envelope.envid);
  }
  out += "\r\n";
}

void append_rcpt(std::string& out, const Recipient& recipient, const Extensions& offered) {
  out += "RCPT TO:<";
  out += recipient.address;
  out += '>';
  if (offered.dsn) {
    append_parameter(out, " NOTIFY=", recipient.notify);
    append_parameter(out, " ORCPT=", recipient.orcpt);
  }
  out += "\r\n";
}

}  // namespace postern::smtp_client
