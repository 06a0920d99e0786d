#include "gateway/unit.h"

#include "gateway/base/log.h"
#include "gateway/delivery/notice.h"
#include "gateway/smtp/session.h"
#include "gateway/version.h"

namespace postern {

using namespace std::chrono_literals;

namespace {

smtp::Dialect dialect_of(Protocol protocol) {
  if (protocol == Protocol::lmtp) return smtp::Dialect::lmtp;
  bool submission = protocol == Protocol::submission || protocol == Protocol::submissions;
  return submission ? smtp::Dialect::submission : smtp::Dialect::smtp;
}

}  // namespace

void Unit::fill_services() {
  auto tls = [this] { return shared_.tls.get(); };
  smtp_.settings = [this] { return shared_.settings.get(); };
  smtp_.tls = tls;
  smtp_.overload = [this] { return overload(admin::Service::smtp); };
  smtp_.directory = shared_.directory.get();
  smtp_.deliverer = shared_.deliverer.get();
  smtp_.ledger = shared_.ledger.get();
  smtp_.abuse = shared_.abuse.get();
  smtp_.routes = &shared_.routes;
  smtp_.recipients = recipients_.get();
  smtp_.directories = &shared_.ldap;
  smtp_.ldap_recipients = ldap_recipients_.get();
  smtp_.through = through_.get();
  smtp_.releases = shared_.releases.get();
  smtp_.judge = &judging_->judge;
  smtp_.logins = shared_.logins.get();
  smtp_.allow_plaintext_login = shared_.config.tls.allow_plaintext_login;
  smtp_.limits = &shared_.limits;
  smtp_.counters = &shared_.counters;
  smtp_.drain = &drain_;
  smtp_.draining = &draining_;
  smtp_.trace = shared_.trace.get();
  imap_.store = shared_.store.get();
  imap_.logins = shared_.authenticator.get();
  imap_.workers = &shared_.workers;
  imap_.recent = &shared_.recent;
  imap_.tls = tls;
  imap_.hostname = shared_.config.hostname;
  imap_.version = kVersion;
  imap_.spool = shared_.config.data;
  imap_.allow_plaintext_login = shared_.config.tls.allow_plaintext_login;
  imap_.limits.max_message_octets = shared_.config.imap.max_append;
  imap_.limits.idle = shared_.config.imap.idle_timeout;
  imap_.errors_per_session = [this] { return shared_.settings.get()->errors_per_session; };
  imap_.drain = &drain_;
  imap_.draining = &draining_;
  pop3_.store = shared_.store.get();
  pop3_.logins = shared_.logins.get();
  pop3_.maildrops = &shared_.maildrops;
  pop3_.tls = tls;
  pop3_.hostname = shared_.config.hostname;
  pop3_.allow_plaintext_login = shared_.config.tls.allow_plaintext_login;
  pop3_.drain = &drain_;
  pop3_.draining = &draining_;
}

io::Task<void> Unit::accept_all(Protocol protocol, io::Listener listener) {
  for (;;) {
    auto stream = co_await listener.accept();
    auto seat = shared_.room.enter(service_of(protocol));
    loop_.spawn(serve_one(protocol, std::move(stream), std::move(seat)), "session");
  }
}

std::string Unit::overload(admin::Service service) const {
  auto reason = shared_.overload.reason();
  return reason.empty() ? shared_.room.reason(service) : reason;
}

// `seat` counts the session until it has ended.
io::Task<void> Unit::serve_one(Protocol protocol, io::Stream stream, admin::Room::Seat) {
  if (service_of(protocol) == admin::Service::smtp) {
    smtp::Session session(std::move(stream), smtp_, protocol == Protocol::submissions, dialect_of(protocol));
    co_await session.run();
    co_return;
  }
  auto refusal = overload(service_of(protocol));
  smtp::ConnectionLimits::Place place;
  if (refusal.empty()) place = shared_.reader_limits.enter(stream.peer().address, refusal);
  if (!refusal.empty()) {
    co_await turn_away(protocol, std::move(stream), std::move(refusal));
  } else if (protocol == Protocol::imap || protocol == Protocol::imaps) {
    co_await imap::serve(std::move(stream), imap_, protocol == Protocol::imaps);
  } else {
    co_await pop3::serve(std::move(stream), pop3_, protocol == Protocol::pop3s);
  }
}

// A reader finds the door shut as a sender does; where TLS comes first there is nothing to say it in.
io::Task<void> Unit::turn_away(Protocol protocol, io::Stream stream, std::string why) {
  shared_.room.count_refused(service_of(protocol));
  log::info("reader.refused", {{"ip", stream.peer().address.to_string()}, {"why", why}});
  if (protocol == Protocol::imap) stream.enqueue("* BYE [UNAVAILABLE] " + why + "\r\n");
  if (protocol == Protocol::pop3) stream.enqueue("-ERR [SYS/TEMP] " + why + "\r\n");
  co_await stream.shutdown(in(2s));
}

void Unit::tell_postmaster(const filters::lua::RuleInfo& rule, const std::string& reason) {
  std::string text = "The rule \"" + rule.name + "\" at " + rule.at() + " was switched off because it fails:\r\n\r\n  " + reason +
                     "\r\n\r\nMail is judged without it, and each message says so, until the rules are loaded\r\n"
                     "anew: mend the file, and it is read again by itself.\r\n";
  auto note = delivery::note_to_postmaster(*shared_.directory, shared_.config.hostname, "Rule \"" + rule.name + "\" is switched off", text);
  loop_.spawn(shared_.deliverer->note(std::move(note)), "note");
}

}  // namespace postern
