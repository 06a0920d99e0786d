// What became of a recipient, in words.
#include "gateway/smtp_client/outcome.h"

namespace postern::smtp_client {

std::string_view step_name(Step step) {
  switch (step) {
    case Step::connect: return "the connection";
    case Step::tls: return "the TLS handshake";
    case Step::greeting: return "the greeting";
    case Step::hello: return "EHLO";
    case Step::starttls: return "STARTTLS";
    case Step::auth: return "AUTH";
    case Step::rset: return "RSET";
    case Step::mail: return "MAIL FROM";
    case Step::rcpt: return "RCPT TO";
    case Step::data: return "DATA";
    case Step::body: return "the message";
    case Step::end: return "the end of the message";
  }
  return "?";
}

std::string Outcome::status() const {
  if (!reply.enhanced.empty()) return reply.enhanced;
  return accepted() ? "2.0.0" : permanent() ? "5.0.0" : "4.0.0";
}

std::string Outcome::sentence() const {
  if (reply.code == 0) return reply.text;
  return reply.sentence() + " (in reply to " + std::string(step_name(step)) + ")";
}

Outcome Outcome::said(Step step, Reply reply) {
  Outcome out;
  out.step = step;
  if (reply.positive()) {
    out.kind = Kind::accepted;
  } else if (reply.transient()) {
    out.kind = Kind::transient;
  } else if (reply.permanent()) {
    out.kind = Kind::permanent;
  } else {
    throw ProtocolError("answer to " + std::string(step_name(step)) + " is \"" + reply.sentence() + "\"");
  }
  out.reply = std::move(reply);
  return out;
}

Outcome Outcome::ours(Kind kind, Step step, std::string_view enhanced, std::string text) {
  Outcome out;
  out.kind = kind;
  out.step = step;
  out.reply.enhanced = enhanced;
  out.reply.text = std::move(text);
  return out;
}

}  // namespace postern::smtp_client
