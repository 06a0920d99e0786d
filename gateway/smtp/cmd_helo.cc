// HELO and EHLO, RFC 5321 4.1.1.1, and the extensions that we offer.
#include "gateway/smtp/session.h"

namespace postern::smtp {

Reply Session::cmd_helo(const Command& command) {
  if (is_lmtp() != (command.verb == Verb::lhlo)) {   // RFC 2033 4.1: neither for the other
    return is_lmtp() ? Reply(500, "5.5.1", "This is LMTP: say LHLO") : reply::unknown_command();
  }
  if (command.argument.empty()) return reply::syntax("Syntax: EHLO hostname");
  // A HELO that is no name is for the rules to judge (RFC 5321 4.1.4: it must not be refused for that);
  // only what could not be written into a Received field is refused.
  if (command.argument.size() > 255 || command.argument.find_first_of(" \t<>\"") != std::string::npos) {
    return reply::syntax("That is no hostname");
  }
  forget_transaction();   // RFC 5321 4.1.4: EHLO resets like RSET
  client_.helo = command.argument;
  client_.esmtp = command.verb != Verb::helo;
  if (!client_.esmtp) return {250, "", settings_->hostname};
  Reply answer(250, "", settings_->hostname + " greets " + client_.helo);
  answer.and_line("PIPELINING");
  answer.and_line("SIZE " + std::to_string(settings_->max_size));
  answer.and_line("8BITMIME");
  answer.and_line("SMTPUTF8");
  answer.and_line("ENHANCEDSTATUSCODES");
  answer.and_line("DSN");
  if (!is_lmtp()) answer.and_line("CHUNKING");
  if (settings_->recipients_per_message != 0) {   // RFC 9422 4: a limit of 0 cannot be said
    answer.and_line("LIMITS RCPTMAX=" + std::to_string(settings_->recipients_per_message));
  }
  if (!stream_.is_tls() && services_.tls()) answer.and_line("STARTTLS");
  if (may_xclient()) answer.and_line("XCLIENT NAME ADDR PORT PROTO HELO LOGIN");
  if (may_xforward()) answer.and_line("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
  return answer;
}

}  // namespace postern::smtp
