// The SMTP session with a judge of the test's own, over loopback.
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

io::Task<void> two_chunks(World& world, std::string second_answer) {
  auto peer = co_await world.with_envelope();
  auto first = co_await peer->ask("BDAT 0");
  CHECK(first == "250 2.0.0 0 octets received");
  auto second = co_await peer->ask("BDAT 0");
  CHECK(second == second_answer);
  peer.reset();
  co_await world.wait_ended(1);
}

// One message; the last word is the answer to its end.
io::Task<std::string> one_message(World& world) {
  auto peer = co_await world.with_envelope();
  co_await peer->ask("DATA");
  auto answer = co_await peer->ask("Subject: x\r\n\r\ntext\r\n.");
  peer.reset();
  co_await world.wait_ended(1);
  co_return answer.substr(0, 3);
}

io::Task<std::string> greeted(World& world, std::string first = "") {
  auto peer = co_await world.connect();
  if (!first.empty()) co_await peer->send(first);
  auto answer = co_await peer->reply();
  peer.reset();
  co_await world.wait_ended(1);
  co_return answer.substr(0, 3);
}

io::Task<std::string> asked_to_send(World& world) {
  auto peer = co_await world.connect();
  co_await peer->reply();
  co_await peer->ask("EHLO client.example");
  auto answer = co_await peer->ask("MAIL FROM:<you@sender.example>");
  peer.reset();
  co_await world.wait_ended(1);
  co_return answer.substr(0, 3);
}

// The last lines of the replies to EHLO and XCLIENT, behind a PROXY header.
io::Task<std::vector<std::string>> proxied(World& world, std::string from) {
  auto peer = co_await world.connect();
  co_await peer->send("PROXY TCP4 " + from + " 127.0.0.1 4711 25\r\n");
  co_await peer->reply();
  std::vector<std::string> out;
  auto offered = co_await peer->ask("EHLO client.example");
  out.push_back(std::move(offered));
  auto answer = co_await peer->ask("XCLIENT ADDR=192.0.2.1");
  out.push_back(std::move(answer));
  peer.reset();
  co_await world.wait_ended(1);
  co_return out;
}

io::Task<void> hang_up(World& world) {
  auto peer = co_await world.connect();
  peer.reset();
  co_await world.wait_ended(1);
}

}  // namespace

TEST_CASE("a message counts by its verdict once it is stored, and as deferred when it is not") {
  World world;
  world.judge.answers.message.verdict = "ham";
  CHECK(world.loop.block_on(one_message(world)) == "250");
  CHECK(world.counters.ham == 1);
  CHECK(world.counters.deferred == 0);
  World full;
  full.judge.answers.message.verdict = "ham";
  full.store.fail_with = store::Outcome::no_space;
  CHECK(full.loop.block_on(one_message(full)) == "452");
  CHECK(full.counters.messages == 1);
  CHECK(full.counters.ham == 0);
  CHECK(full.counters.deferred == 1);
}

TEST_CASE("what a rule refuses before there is a message is counted by its stage") {
  World world;
  world.judge.answers.connect.action = Action::defer;
  CHECK(world.loop.block_on(greeted(world)) == "421");
  CHECK(world.counters.refused_at_connect == 1);
  World later;
  later.judge.answers.mail.action = Action::reject;
  CHECK(later.loop.block_on(asked_to_send(later)) == "550");
  CHECK(later.counters.refused_at_connect == 0);
  CHECK(later.counters.refused_at_mail == 1);
}

TEST_CASE("who speaks before the greeting is an early talker, who hangs up is not") {
  World world;
  world.settings.greet_delay = 10s;
  CHECK(world.loop.block_on(greeted(world, "EHLO x\r\n")) == "554");
  CHECK(world.counters.early_talkers == 1);
  World gone;
  gone.settings.greet_delay = 10s;
  gone.loop.block_on(hang_up(gone));
  CHECK(gone.counters.early_talkers == 0);
}

TEST_CASE("who comes through a proxy has the rights of its own address, not of the proxy's") {
  for (bool ours : {false, true}) {
    World world;
    world.settings.proxy = {*Network::parse("127.0.0.0/8")};
    world.settings.xclient = {*Network::parse("127.0.0.0/8"), *Network::parse("192.0.2.0/24")};
    auto said = world.loop.block_on(proxied(world, ours ? "192.0.2.77" : "198.51.100.7"));
    CHECK((said[0].substr(0, 12) == "250 XFORWARD") == ours);
    CHECK(said[1].substr(0, 3) == (ours ? "220" : "500"));
  }
}

TEST_CASE("the chunks of a message share the time that a body has") {
  World world;
  world.loop.block_on(two_chunks(world, "250 2.0.0 0 octets received"));
}

TEST_CASE("a message in chunks whose time is up ends the session") {
  World world;
  world.settings.body_timeout = 0ms;   // up as soon as the first chunk is read
  world.loop.block_on(two_chunks(world, "421 4.4.2 mx.example.test waited too long, closing"));
}
