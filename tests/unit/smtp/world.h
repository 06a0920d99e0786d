#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/delivery/deliverer.h"
#include "gateway/directory/directory.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "gateway/smtp/session.h"
#include "tests/support/catch.h"
#include "tests/support/dialogue.h"
#include "tests/support/memory_store.h"

// SMTP sessions on one loop with a judge that says what the test wants, and a client over loopback.
namespace postern::smtp::test {

using namespace std::chrono_literals;

// What the judge answers, by stage.
struct Answers {
  Decision connect, mail, rcpt;
  MessageVerdict message;   // without recipients: ham into everybody's INBOX
  std::string refuses_at_connect;   // this address
  std::vector<Client> seen;         // at stage connect, then at stage message
  int recipients = 0;               // that stage rcpt was asked of
  std::vector<Recipient> envelope;  // of the last message
};

class SaidExamination : public Examination {
 public:
  explicit SaidExamination(Answers& answers) : answers_(answers) {}
  io::Task<Decision> on_connect(Client client) override {
    answers_.seen.push_back(client);
    auto decision = answers_.connect;
    if (client.ip.to_string() == answers_.refuses_at_connect) {
      decision.action = Action::reject;
      decision.reply = "not you";
    }
    co_return decision;
  }
  io::Task<Decision> on_mail(Client, Sender) override { co_return answers_.mail; }
  io::Task<Decision> on_rcpt(Client, Recipient) override {
    ++answers_.recipients;
    co_return answers_.rcpt;
  }
  io::Task<MessageVerdict> on_message(Client client, std::string, Octets, std::vector<Recipient> recipients) override {
    answers_.seen.push_back(std::move(client));
    answers_.envelope = recipients;
    MessageVerdict out = answers_.message;
    for (const auto& recipient : recipients) {
      RecipientVerdict copy;
      copy.address = recipient.address;
      if (out.verdict == "reject") copy.action = Action::reject;
      out.recipients.push_back(std::move(copy));
    }
    co_return out;
  }
  void on_reset() override {}

 private:
  Answers& answers_;
};

class SaidJudge : public Judge {
 public:
  Answers answers;
  std::unique_ptr<Examination> examine() override { return std::make_unique<SaidExamination>(answers); }
};

class Peer {
 public:
  explicit Peer(io::Stream stream) : stream_(std::move(stream)) {}
  io::Task<void> send(std::string octets) { co_await stream_.write(octets, in(10s)); }
  // The last line of a reply.
  io::Task<std::string> reply() {
    for (;;) {
      auto line = co_await stream_.read_line(10'000, in(10s));
      if (line.text.size() < 4 || line.text[3] != '-') co_return std::move(line.text);
    }
  }
  io::Task<std::string> ask(std::string command) {
    co_await send(command + "\r\n");
    auto answer = co_await reply();
    co_return answer;
  }

 private:
  io::Stream stream_;
};

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<delivery::Deliverer> deliverer;
  SaidJudge judge;
  Settings settings;
  ConnectionLimits limits{LimitSettings()};
  Counters counters;
  io::Signal drain;
  bool draining = false;
  Dialect dialect = Dialect::smtp;
  std::string peer_address;   // where the client seems to be; empty: loopback, by TCP
  Services services;
  int ended = 0;

  World() {
    auto config = config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n", "p.toml").config;
    directory = std::make_unique<directory::Directory>(config, store);
    auto quarantine = store.add_account("quarantine");
    store.add_account("ann@example.test");
    deliverer = std::make_unique<delivery::Deliverer>(store, *directory, "mx.example.test", quarantine);
    settings.hostname = "mx.example.test";
    settings.draft_directory = "/tmp";
    settings.greet_delay = 0ms;
    services.settings = [this] { return std::make_shared<Settings>(settings); };
    services.tls = [] { return std::shared_ptr<const io::TlsContext>(); };
    services.overload = [] { return std::string(); };
    services.directory = directory.get();
    services.deliverer = deliverer.get();
    services.judge = &judge;
    services.limits = &limits;
    services.counters = &counters;
    services.drain = &drain;
    services.draining = &draining;
  }
  // The sessions must end before what they use.
  ~World() { loop.block_on(postern::test::ended(loop)); }

  io::Task<void> serve(io::Stream stream) {
    Session session(std::move(stream), services, false, dialect);
    co_await session.run();
  }
  // A connected session that runs on the loop.
  io::Task<std::unique_ptr<Peer>> connect() {
    if (!peer_address.empty()) {
      int ends[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
      io::Stream far(io::Fd(ends[1]), Endpoint{*IpAddress::parse(peer_address), 4711});
      loop.spawn(serve(std::move(far)), "smtp", [this] { ++ended; });
      co_return std::make_unique<Peer>(io::Stream(io::Fd(ends[0])));
    }
    io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
    auto stream = co_await io::Stream::connect(io::local_of(listener.fd()), in(5s));
    auto accepted = co_await listener.accept();
    loop.spawn(serve(std::move(accepted)), "smtp", [this] { ++ended; });
    co_return std::make_unique<Peer>(std::move(stream));
  }
  // The same with MAIL and RCPT behind it.
  io::Task<std::unique_ptr<Peer>> with_envelope() {
    auto peer = co_await connect();
    auto greeting = co_await peer->reply();
    CHECK(greeting == "220 mx.example.test ESMTP Postern");
    co_await peer->ask("EHLO client.example");
    auto mail = co_await peer->ask("MAIL FROM:<you@sender.example>");
    CHECK(mail.substr(0, 3) == "250");
    auto rcpt = co_await peer->ask("RCPT TO:<ann@example.test>");
    CHECK(rcpt.substr(0, 3) == "250");
    co_return peer;
  }
  // Lets the loop turn until `count` sessions have ended.
  io::Task<void> wait_ended(int count) {
    for (int i = 0; i < 2000 && ended < count; ++i) co_await io::sleep_until(in(5ms));
    CHECK(ended == count);
  }
};

using Words = std::vector<std::string>;

// Each line is sent when the reply to the one before is there; the last lines of the replies, the greeting first.
inline io::Task<Words> dialogue(World& world, Words lines) {
  int before = world.ended;
  auto peer = co_await world.connect();
  Words out;
  auto greeting = co_await peer->reply();
  out.push_back(std::move(greeting));
  for (auto& line : lines) {
    auto answer = co_await peer->ask(line);
    out.push_back(std::move(answer));
  }
  peer.reset();
  co_await world.wait_ended(before + 1);
  co_return out;
}

}  // namespace postern::smtp::test
