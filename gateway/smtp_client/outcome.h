#pragma once

#include <string>
#include <string_view>

#include "gateway/smtp_client/reply.h"

namespace postern::smtp_client {

// Where in the dialogue something happened, in its order.
enum class Step { connect, tls, greeting, hello, starttls, auth, rset, mail, rcpt, data, body, end };

// "RCPT TO", "the end of the message": fit for "... while waiting for the answer to ...".
std::string_view step_name(Step step);

// What became of one recipient, or of a connection that did not come about.
struct Outcome {
  // Of tls_failed: how.
  enum class Tls { none, not_offered, handshake, certificate_name, certificate_expired, certificate_untrusted };
  enum class Kind {
    accepted,
    transient,        // the remote's 4xx
    permanent,        // the remote's 5xx, or our own verdict on what it does not offer
    not_tried,        // above the remote's limit of recipients: next transaction, same connection
    lost,             // the connection was refused or broke
    timed_out,        // no answer to `step` in its time, or the message's time was over
    protocol_error,   // what the remote said is no SMTP
    tls_failed        // TLS was wanted and did not come about: not offered, refused, handshake, certificate
  };
  Kind kind = Kind::not_tried;
  Step step = Step::connect;
  Tls tls = Tls::none;
  // The whole message had been handed over and its last answer did not come: the remote may have taken it, and
  // sending again may make a duplicate (RFC 5321 4.5.4.1).  Never set when a retry is safe.
  bool maybe_delivered = false;
  // The remote's words; with code 0 ours, with the status for a DSN in `enhanced`.
  Reply reply;

  bool accepted() const { return kind == Kind::accepted; }
  bool permanent() const { return kind == Kind::permanent; }
  // Neither: try again, here or elsewhere.
  bool undecided() const { return !accepted() && !permanent(); }
  // RFC 3463: the reply's own, or "2.0.0", "4.0.0", "5.0.0".
  std::string status() const;
  // For a person: "550 5.1.1 No such user (in reply to RCPT TO)".
  std::string sentence() const;

  // The remote's answer at `step`; throws ProtocolError for a 3xx, which is an answer to nothing here.
  static Outcome said(Step step, Reply reply);
  // Without the remote's words.
  static Outcome ours(Kind kind, Step step, std::string_view enhanced, std::string text);
};

// Ends the work on a connection with an outcome: a 421, a greeting of 554, TLS that must be and is not.
struct Ended {
  Outcome outcome;
};

}  // namespace postern::smtp_client
