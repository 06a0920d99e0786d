// Our client against our own server: what one sends, the other stores.
#include "gateway/smtp_client/connection.h"
#include "tests/support/certificate.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace std::chrono_literals;
using smtp::test::World;

namespace {

io::Task<void> serve_one(World& world, io::Listener& listener) {
  auto stream = co_await listener.accept();
  co_await world.serve(std::move(stream));
}

struct Sent {
  std::vector<Outcome> outcomes;
  bool tls = false;
  bool usable = false;
};

io::Task<Sent> send_to(World& world, Target target, Envelope envelope, std::vector<std::string> body, int times) {
  io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
  target.endpoint = io::local_of(listener.fd());
  target.helo = "gate.test";
  target.tls_name = "mx.example.test";
  world.loop.spawn(serve_one(world, listener), "server");
  TlsContexts tls;
  auto opened = co_await Connection::connect(target, tls);
  REQUIRE(opened.connection != nullptr);
  Sent out;
  out.tls = opened.connection->is_tls();
  std::vector<std::string_view> pieces(body.begin(), body.end());
  for (int i = 0; i < times; ++i) {
    CHECK(opened.connection->usable());
    out.outcomes = co_await opened.connection->send(envelope, pieces);
  }
  out.usable = opened.connection->usable();
  co_await opened.connection->quit();
  co_return std::move(out);
}

Envelope to_ann() {
  Envelope envelope;
  envelope.sender = "you@sender.example";
  envelope.recipients.emplace_back().address = "ann@example.test";
  return envelope;
}

// Header, lines with dots in bad places, and enough octets for many blocks.
std::vector<std::string> message() {
  std::string text;
  for (int i = 0; text.size() < 400'000; ++i) {
    text += i % 3 == 0 ? "." : i % 3 == 1 ? "..\r\n.\r" : "\r\n";
    text += i % 3 == 1 ? "\n" : "line " + std::to_string(i) + "\r\n";
  }
  return {"Subject: bytes\r\nFrom: <you@sender.example>\r\n", "\r\n", text, ".last\r\n"};
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string out;
  for (const auto& piece : pieces) out += piece;
  return out;
}

// The body records of INBOX in order.
std::vector<std::string> stored(World& world) {
  std::vector<std::string> out;
  auto inbox = world.store.mailbox(world.store.account("ann@example.test")->id, "INBOX");
  auto rows = world.loop.block_on(world.store.messages(inbox->id, 1, 1000, 1000));
  for (const auto& row : *rows) {
    auto octets = world.loop.block_on(world.store.read(row, row.header_prefix.size(), row.record_octets));
    out.push_back(octets.value());
  }
  return out;
}

}  // namespace

TEST_CASE("what the client sends is what our server stores, by DATA and by BDAT, in plaintext and behind STARTTLS") {
  for (bool tls : {false, true}) {
    for (bool chunked : {false, true}) {
      World world;
      auto context = postern::test::server_context();
      if (tls) world.services.tls = [context] { return context; };
      Target target;
      target.tls = tls ? TlsPolicy::must : TlsPolicy::may;
      target.chunking = chunked;
      auto sent = world.loop.block_on(send_to(world, target, to_ann(), message(), 3));
      CHECK(sent.tls == tls);
      CHECK(sent.outcomes.at(0).accepted());
      CHECK(sent.usable);
      auto got = stored(world);
      REQUIRE(got.size() == 3);
      for (const auto& record : got) CHECK((record == joined(message())));
    }
  }
}

TEST_CASE("our LMTP side answers our client for each recipient") {
  for (bool chunked : {false, true}) {
    World world;
    world.dialect = smtp::Dialect::lmtp;
    Target target;
    target.dialect = Dialect::lmtp;
    target.chunking = chunked;
    auto envelope = to_ann();
    envelope.recipients.emplace_back().address = "nobody@example.test";
    envelope.recipients.emplace_back().address = "ann@example.test";
    auto sent = world.loop.block_on(send_to(world, target, envelope, message(), 2));
    CHECK(sent.outcomes.at(0).accepted());
    CHECK(sent.outcomes.at(0).step == Step::end);
    CHECK(sent.outcomes.at(1).permanent());
    CHECK(sent.outcomes.at(1).step == Step::rcpt);
    CHECK(sent.outcomes.at(2).accepted());
    CHECK(sent.usable);
  }
}
