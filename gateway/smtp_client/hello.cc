// From the greeting to the first MAIL: EHLO (RFC 5321 3.2) or LHLO (RFC 2033 4.1), STARTTLS (RFC 3207), AUTH (RFC 4954).
#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/smtp_client/connection.h"

namespace postern::smtp_client {
namespace {

using Kind = Outcome::Kind;

Ended no_tls(Step step, Outcome::Tls how, std::string text) {
  auto outcome = Outcome::ours(Kind::tls_failed, step, "4.7.5", std::move(text));
  outcome.tls = how;
  return Ended{std::move(outcome)};
}

Outcome::Tls tls_trouble(io::CertificateFault fault) {
  switch (fault) {
    case io::CertificateFault::none: return Outcome::Tls::handshake;
    case io::CertificateFault::name: return Outcome::Tls::certificate_name;
    case io::CertificateFault::expired: return Outcome::Tls::certificate_expired;
    case io::CertificateFault::untrusted: return Outcome::Tls::certificate_untrusted;
  }
  return Outcome::Tls::handshake;
}

Ended no_login(std::string text) { return Ended{Outcome::ours(Kind::transient, Step::auth, "4.7.0", std::move(text))}; }

// Not the recipients were refused, we were.
Ended login_refused(Reply reply) {
  auto outcome = Outcome::said(Step::auth, std::move(reply));
  outcome.kind = Kind::transient;
  return Ended{std::move(outcome)};
}

}  // namespace

io::Task<void> Connection::open(const Target& target, const TlsContexts& tls) {
  if (target.implicit_tls) co_await start_tls(target, tls);
  co_await hear_greeting();
  co_await say_hello(target.helo);
  if (!stream_.is_tls() && target.tls != TlsPolicy::never) {
    co_await ask_for_tls(target, tls);
    if (stream_.is_tls()) {
      extensions_ = {};   // RFC 3207 4.2: what was said in plaintext could be anybody's
      co_await say_hello(target.helo);
    }
  }
  if (!target.chunking) extensions_.chunking = false;
  if (target.login) co_await log_in(*target.login);
}

io::Task<void> Connection::hear_greeting() {
  step_ = Step::greeting;
  auto reply = co_await hear(timeouts_.greeting);
  auto outcome = Outcome::said(step_, std::move(reply));
  if (!outcome.accepted()) throw Ended{std::move(outcome)};
}

io::Task<void> Connection::say_hello(const std::string& helo) {
  step_ = Step::hello;
  bool lmtp = dialect_ == Dialect::lmtp;
  std::string command = (lmtp ? "LHLO " : "EHLO ") + helo + "\r\n";
  auto reply = co_await ask(command, timeouts_.command);
  if (reply.positive()) {
    extensions_ = parse_extensions(reply);
    co_return;
  }
  if (reply.permanent() && !lmtp) {   // RFC 5321 3.2: a server from before 1995
    command = "HELO " + helo + "\r\n";
    reply = co_await ask(command, timeouts_.command);
  }
  auto outcome = Outcome::said(step_, std::move(reply));
  if (!outcome.accepted()) throw Ended{std::move(outcome)};
}

io::Task<void> Connection::ask_for_tls(const Target& target, const TlsContexts& tls) {
  step_ = Step::starttls;
  bool required = target.tls != TlsPolicy::may;
  if (!extensions_.starttls) {
    if (required) throw no_tls(step_, Outcome::Tls::not_offered, "STARTTLS is not offered, and mail goes there over TLS only");
    co_return;
  }
  auto reply = co_await ask("STARTTLS\r\n", timeouts_.command);
  if (reply.code != 220) {
    // RFC 3207 4: whether to go on without is for us to say.
    if (required) throw no_tls(step_, Outcome::Tls::not_offered, "STARTTLS is refused: " + reply.sentence());
    co_return;
  }
  // Octets behind the 220 were not sent under TLS, but would be read as if: a forged answer to our EHLO
  // (CVE-2021-38084 and its kin).  What is still in the kernel breaks the handshake.
  if (!stream_.buffered().empty()) {
    throw ProtocolError("plaintext behind the answer: \"" + printable(stream_.buffered(), 80) + "\"");
  }
  co_await start_tls(target, tls);
}

io::Task<void> Connection::start_tls(const Target& target, const TlsContexts& tls) {
  step_ = Step::tls;
  bool verify = target.tls == TlsPolicy::verify;
  if (verify && target.tls_name.empty()) throw no_tls(step_, Outcome::Tls::certificate_name, "there is no name that the certificate should bear");
  auto context = verify || target.observe ? tls.verifying : tls.any;
  io::PeerCheck peer;
  peer.name = target.tls_name;
  peer.observe = target.observe && target.tls == TlsPolicy::may;
  if (target.tls == TlsPolicy::dane) {
    peer.tlsa = target.tlsa;
    peer.also = target.also_named;
  }
  std::string failure;
  auto how = Outcome::Tls::handshake;
  try {
    co_await stream_.connect_tls(std::move(context), std::move(peer), in(timeouts_.tls));
  } catch (const io::HandshakeFailed& failed) {
    failure = failed.what();
    how = tls_trouble(failed.fault);
  } catch (const io::Closed& closed) {
    failure = closed.what();
  } catch (const io::TimedOut&) {
    failure = "TLS handshake: no answer in time";
  }
  if (!failure.empty()) throw no_tls(step_, how, failure);
}

io::Task<void> Connection::log_in(const Login& login) {
  step_ = Step::auth;
  if (!stream_.is_tls()) throw no_login("AUTH is not done without TLS: the password would be readable");
  Reply reply;
  if (extensions_.auth_plain) {   // RFC 4616
    std::string secret = '\0' + login.user + '\0' + login.password;
    std::string command = "AUTH PLAIN " + base64(secret) + "\r\n";
    reply = co_await ask(command, timeouts_.command);
  } else if (extensions_.auth_login) {
    reply = co_await ask("AUTH LOGIN\r\n", timeouts_.command);
    for (const auto* word : {&login.user, &login.password}) {
      if (reply.code != 334) break;
      std::string answer = base64(*word) + "\r\n";
      reply = co_await ask(answer, timeouts_.command);
    }
  } else {
    throw no_login("neither AUTH PLAIN nor AUTH LOGIN is offered");
  }
  if (!reply.positive()) throw login_refused(std::move(reply));
}

}  // namespace postern::smtp_client
