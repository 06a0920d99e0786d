#pragma once

#include <memory>
#include <string>
#include <utility>

#include "gateway/imap/services.h"
#include "gateway/io/loop.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/store/store.h"

namespace postern::test {

// Knows one password for everybody: "secret".
class OnePassword : public imap::Authenticator {
 public:
  explicit OnePassword(store::Store& store) : store_(store) {}
  bool away = false;
  io::Task<imap::LoginResult> check(imap::LoginAttempt attempt) override {
    if (away) co_return imap::LoginResult(imap::LoginResult::Kind::not_now, 0, "try again later");
    auto account = store_.account(attempt.address);
    if (!account || attempt.password != "secret") co_return imap::LoginResult(imap::LoginResult::Kind::refused, 0, "");
    co_return imap::LoginResult(imap::LoginResult::Kind::accepted, account->id, "");
  }

 private:
  store::Store& store_;
};

// All that an IMAP session needs: user@example.test with password "secret" on the given store.  Construct on a loop's
// thread; `add_user` must have run before a session logs in.
struct ImapWorld {
  store::Store& store;
  io::WorkerPool& workers;
  OnePassword logins{store};
  imap::Recent recent{from_unix(1'600'000'000)};
  io::Signal drain;
  bool draining = false;
  imap::Services services;
  store::AccountId user = 0;

  ImapWorld(store::Store& s, io::WorkerPool& w) : store(s), workers(w) {
    services.store = &store;
    services.logins = &logins;
    services.workers = &workers;
    services.recent = &recent;
    services.tls = [] { return std::shared_ptr<const io::TlsContext>(); };
    services.hostname = "mx.example.test";
    services.version = "0.1";
    services.spool = "/tmp";
    services.allow_plaintext_login = true;
    services.errors_per_session = [] { return 10; };
    services.drain = &drain;
    services.draining = &draining;
  }

  io::Task<void> add_user() {
    store::Account account;
    account.address = "user@example.test";
    co_await store.create_account(account);
    user = store.account("user@example.test")->id;
  }

  io::Task<store::Placed> put(std::string mailbox, std::string message, std::string prefix, store::Flags flags) {
    auto table = mail::parse(message);
    store::Target target;
    target.account = user;
    target.mailbox = std::move(mailbox);
    target.header_prefix = std::move(prefix);
    target.flags = std::move(flags);
    store::Item item;
    item.parts = mail::serialize(table);
    item.envelope = mail::envelope_of(mail::header_of(message, table.root()));
    item.pieces.emplace_back(std::move(message));
    item.targets.push_back(std::move(target));
    store::Delivery delivery;
    delivery.items.push_back(std::move(item));
    auto delivered = co_await store.deliver(std::move(delivery));
    co_return delivered.placed.at(0).at(0);
  }
};

}  // namespace postern::test
