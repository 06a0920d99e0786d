#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/io/stream.h"
#include "gateway/io/task.h"
#include "gateway/smtp_client/envelope.h"
#include "gateway/smtp_client/extensions.h"
#include "gateway/smtp_client/outcome.h"
#include "gateway/smtp_client/target.h"

namespace postern::smtp_client {

class Connection;

// A connection, or why there is none.
struct Connected {
  std::unique_ptr<Connection> connection;
  Outcome failure;   // of no meaning when there is a connection
};

// Our side of one SMTP (RFC 5321) or LMTP (RFC 2033) connection, for any number of messages one after the other.
//
// Nothing here throws for what the remote or the network does: that is an Outcome.  One task at a time uses a
// connection; it belongs to its loop.  Destroying it, also in the middle of a task that was dropped, closes it.
class Connection {
 public:
  // Opens it: greeting, EHLO, STARTTLS, AUTH, as `target` says.  `tls` must outlive the task.
  //
  // Kind::tls_failed: with TlsPolicy::may the caller may come again with `never`.  A refusal at Step::auth is never
  // permanent: it is between the smarthost and our operator, no recipient was judged.
  static io::Task<Connected> connect(Target target, const TlsContexts& tls);

  // Sends one message; gives an outcome for each recipient, in the order of the envelope.
  //
  // The body is the concatenation of its pieces, with CRLF line ends and no bare CR or LF, as the store keeps it
  // (RFC 5321 2.3.8); 8-bit octets go out as they are even when 8BITMIME is not offered.  `envelope` and `body` must
  // outlive the task.  Only when usable().
  io::Task<std::vector<Outcome>> send(const Envelope& envelope, std::span<const std::string_view> body);

  // Would it take mail for `recipient`?  MAIL, RCPT, RSET.  Step::mail in the outcome: it did not come to RCPT.
  // Only when usable().
  io::Task<Outcome> probe(std::string sender, std::string recipient);

  // Can another message go over it?  Asks the kernel whether the remote has closed or spoken unasked since.  One that
  // closes later than that gives Kind::lost or ::transient at Step::rset or ::mail: take a fresh connection at once.
  bool usable() const;
  // Says QUIT, waits for 221 at most the time that the target gave, and closes.
  io::Task<void> quit();

  const Extensions& extensions() const { return extensions_; }
  bool is_tls() const { return stream_.is_tls(); }
  io::TlsInfo tls_info() const { return stream_.tls_info(); }
  // What `verify` would have refused, where the target said `observe`.
  io::CertificateFault certificate_fault() const { return stream_.certificate_fault(); }
  Endpoint peer() const { return stream_.peer(); }
  std::uint64_t messages() const { return messages_; }   // transactions begun, probes included

 private:
  struct Transaction;

  Connection(io::Stream stream, const Target& target);

  // hello.cc: up to the first MAIL.
  io::Task<void> open(const Target& target, const TlsContexts& tls);
  io::Task<void> hear_greeting();
  io::Task<void> say_hello(const std::string& helo);
  io::Task<void> ask_for_tls(const Target& target, const TlsContexts& tls);
  io::Task<void> start_tls(const Target& target, const TlsContexts& tls);
  io::Task<void> log_in(const Login& login);

  // transaction.cc
  io::Task<void> carry_out(Transaction& transaction);
  io::Task<void> run(Transaction& transaction);
  io::Task<void> say_envelope(Transaction& transaction);
  void append_command(Transaction& transaction, std::size_t position);
  void take_reply(Transaction& transaction, std::size_t position, Reply reply);
  io::Task<void> hear_end(Transaction& transaction);

  // body.cc
  io::Task<void> say_body(Transaction& transaction);
  io::Task<void> write_body(Transaction& transaction);
  io::Task<void> write_run(std::string_view run);
  io::Task<std::optional<Reply>> last_words();

  // What all of them use; they throw io::Closed, io::TimedOut, ProtocolError and Ended.
  Deadline until(Timeouts::Span wait) const;
  io::Task<void> flush(Timeouts::Span wait);                     // sends out_
  io::Task<Reply> hear(Timeouts::Span wait);                     // a 421 ends the connection
  io::Task<Reply> ask(std::string_view command, Timeouts::Span wait);

  io::Stream stream_;
  Dialect dialect_;
  Timeouts timeouts_;
  Extensions extensions_;
  Step step_ = Step::greeting;          // what is being done or waited for
  Deadline message_ends_ = Deadline::max();
  std::string out_;                     // what is said next; keeps its memory between messages
  std::uint64_t messages_ = 0;
  bool alive_ = true;
  bool needs_reset_ = false;            // a MAIL was accepted whose transaction has not ended
};

}  // namespace postern::smtp_client
