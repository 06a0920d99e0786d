#pragma once

#include <string>

#include "gateway/directory/passwords.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "gateway/io/worker_pool.h"
#include "gateway/pop3/services.h"
#include "tests/support/catch.h"
#include "tests/support/dialogue.h"
#include "tests/support/temporary_directory.h"

// A real store, directory and POP3 services on one loop, and a client over loopback.
namespace postern::pop3::test {

using namespace std::chrono_literals;

class Client {
 public:
  explicit Client(io::Stream stream) : stream_(std::move(stream)) {}
  io::Task<void> send(std::string octets) { co_await stream_.write(octets, in(10s)); }
  io::Task<std::string> line() {
    auto line = co_await stream_.read_line(100'000, in(10s));
    CHECK(line.crlf);
    co_return std::move(line.text);
  }
  io::Task<std::string> ask(std::string command) {
    co_await send(command + "\r\n");
    auto answer = co_await line();
    co_return answer;
  }
  // The lines up to the dot, unstuffed, joined with '|'.
  io::Task<std::string> lines() {
    std::string out;
    for (;;) {
      auto text = co_await line();
      if (text == ".") co_return out;
      out += (text.starts_with('.') ? text.substr(1) : text) + "|";
    }
  }
  io::Task<bool> is_closed() {
    try {
      co_await stream_.fill(in(10s));
    } catch (const io::Closed&) {
      co_return true;
    }
    co_return false;
  }
  io::Stream& stream() { return stream_; }

 private:
  io::Stream stream_;
};

struct World {
  postern::test::TemporaryDirectory folder;
  io::Loop loop;
  io::WorkerPool workers{2};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<directory::Logins> logins;
  Maildrops maildrops;
  io::Signal drain;
  bool draining = false;
  std::shared_ptr<const io::TlsContext> tls;
  Services services;
  store::AccountId ann = 0;

  // On the real store in a folder of its own, or on the given one.
  explicit World(std::unique_ptr<store::Store> given = nullptr) : store(std::move(given)) {
    if (store == nullptr) open_store();
    auto config = config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n", "p.toml").config;
    directory = std::make_unique<directory::Directory>(config, *store);
    directory::LoginOptions fast;
    for (auto* policy : {&fast.account, &fast.address, &fast.network}) policy->longest_delay = 0ms;
    logins = std::make_unique<directory::Logins>(*directory, fast);
    store::Account account;
    account.address = "ann@example.test";
    static const std::string row = *directory::make_password_row("sec ret");
    account.password_row = row;
    REQUIRE(loop.block_on(store->create_account(std::move(account))).ok());
    ann = store->account("ann@example.test")->id;
    services.store = store.get();
    services.logins = logins.get();
    services.maildrops = &maildrops;
    services.tls = [this] { return tls; };
    services.hostname = "mx.example.test";
    services.allow_plaintext_login = true;
    services.drain = &drain;
    services.draining = &draining;
  }
  // The sessions must end before what they use.
  ~World() {
    loop.block_on(postern::test::ended(loop));
    logins.reset();
    store.reset();
  }

  void open_store() {
    store::StoreOptions options;
    options.directory = folder.path() + "/store";
    options.low_space_octets = 0;
    auto opened = store::Store::open(options, workers);
    if (!opened) FAIL(opened.error().text);
    store = std::move(*opened);
  }

  void deliver(std::string text, std::string prefix = "") {
    REQUIRE(loop.block_on(delivered(std::move(text), std::move(prefix))).ok());
  }
  io::Task<store::Delivered> delivered(std::string text, std::string prefix) {
    store::Item item;
    item.id = "ID";
    item.pieces.emplace_back(std::move(text));
    store::Target target;
    target.account = ann;
    target.mailbox = "INBOX";
    target.header_prefix = std::move(prefix);
    item.targets.push_back(std::move(target));
    store::Delivery delivery;
    delivery.items.push_back(std::move(item));
    auto out = co_await store->deliver(std::move(delivery));
    co_return out;
  }
  std::size_t messages() const { return store->mailbox(ann, "INBOX")->messages; }

  // A connected session that runs on the loop.
  io::Task<std::unique_ptr<Client>> connect(bool implicit_tls = false) {
    io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
    auto stream = co_await io::Stream::connect(io::local_of(listener.fd()), in(5s));
    auto accepted = co_await listener.accept();
    loop.spawn(serve(std::move(accepted), services, implicit_tls), "pop3", [this] { ++ended; });
    co_return std::make_unique<Client>(std::move(stream));
  }
  io::Task<std::unique_ptr<Client>> logged_in() {
    auto client = co_await connect();
    auto greeting = co_await client->line();
    CHECK(greeting == "+OK mx.example.test POP3 server ready");
    auto user = co_await client->ask("USER ann@example.test");
    CHECK(user == "+OK Password, please");
    auto pass = co_await client->ask("PASS sec ret");
    CHECK(pass.substr(0, 3) == "+OK");
    co_return client;
  }
  // Lets the loop turn until `count` sessions have ended.
  io::Task<void> wait_ended(int count) {
    for (int i = 0; i < 2000 && ended < count; ++i) co_await io::sleep_until(in(5ms));
    CHECK(ended == count);
  }
  int ended = 0;
};

}  // namespace postern::pop3::test
