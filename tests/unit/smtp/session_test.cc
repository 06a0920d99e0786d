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

// BDAT's octets are sent only when MAIL and RCPT were answered.
io::Task<Words> waits_before_its_chunk(World& world) {
  auto peer = co_await world.connect();
  co_await peer->reply();
  co_await peer->ask("EHLO client.example");
  co_await peer->send("MAIL FROM:<you@sender.example>\r\nRCPT TO:<ann@example.test>\r\nBDAT 14 LAST\r\n");
  Words out;
  for (int i = 0; i < 2; ++i) {
    auto answer = co_await peer->reply();
    out.push_back(std::move(answer));
  }
  co_await peer->send("Subject: x\r\n\r\n");
  auto answer = co_await peer->reply();
  out.push_back(std::move(answer));
  peer.reset();
  co_await world.wait_ended(1);
  co_return out;
}

// Refused at connect, and the program ends while the client keeps still.
io::Task<void> drained_behind_a_refusal(World& world) {
  auto peer = co_await world.connect();
  auto refused = co_await peer->reply();
  CHECK(refused.substr(0, 3) == "554");
  world.draining = true;
  world.drain.notify();
  co_await world.wait_ended(1);
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

TEST_CASE("a recipient that is named again is judged and delivered once") {
  World world;
  Words lines = {"EHLO a.example", "MAIL FROM:<you@sender.example>"};
  for (int i = 0; i < 5; ++i) lines.push_back("RCPT TO:<ann@example.test>");
  auto said = world.loop.block_on(dialogue(world, lines));
  CHECK(said.back() == "250 2.1.5 Recipient OK");
  CHECK(world.judge.answers.recipients == 1);
}

TEST_CASE("who never ends naming recipients is sent away") {
  World world;
  world.settings.recipients_per_message = 2;
  Words lines = {"EHLO a.example", "MAIL FROM:<you@sender.example>"};
  for (int i = 0; i < 21; ++i) lines.push_back("RCPT TO:<ann@example.test>");
  auto said = world.loop.block_on(dialogue(world, lines));
  CHECK(said[said.size() - 2].substr(0, 3) == "250");
  CHECK(said.back() == "421 4.7.0 Too many commands without a message, closing");
}

TEST_CASE("errors of an address are counted over its sessions, those of our own are not") {
  World world;
  LimitSettings few;
  few.error_rate_per_address = {2, 1h};
  world.limits.set(few);
  world.peer_address = "198.51.100.9";
  Words lines = {"EHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<nobody@example.test>"};
  CHECK(world.loop.block_on(dialogue(world, lines)).back().substr(0, 9) == "550 5.1.1");
  CHECK(world.loop.block_on(dialogue(world, lines)).back().substr(0, 9) == "550 5.1.1");
  lines.push_back("NOOP");
  CHECK(world.loop.block_on(dialogue(world, lines)).back() == "421 4.7.0 Too many errors, closing");
  CHECK(world.loop.block_on(dialogue(world, {}))[0] == "421 4.7.0 Too many errors lately from 198.51.100.9");
  World ours;
  ours.limits.set(few);
  ours.settings.trusted = {*Network::parse("198.51.100.0/24")};
  ours.peer_address = "198.51.100.9";
  for (int i = 0; i < 4; ++i) CHECK(ours.loop.block_on(dialogue(ours, lines)).back().substr(0, 3) == "250");
}

TEST_CASE("recipients of an address are counted over its sessions") {
  World world;
  LimitSettings few;
  few.recipient_rate_per_address = {2, 1h};
  world.limits.set(few);
  world.peer_address = "198.51.100.9";
  Words lines = {"EHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>"};
  for (int i = 0; i < 2; ++i) CHECK(world.loop.block_on(dialogue(world, lines)).back().substr(0, 3) == "250");
  CHECK(world.loop.block_on(dialogue(world, lines)).back().starts_with("451 4.7.1 Too many recipients lately from 198.51.100.9, try again later (id "));
}

TEST_CASE("a second XCLIENT takes nothing over from the client before") {
  World world;
  world.settings.xclient = world.settings.trusted = {*Network::parse("127.0.0.0/8")};
  world.loop.block_on(dialogue(world, {"XCLIENT ADDR=198.51.100.7 PORT=25 LOGIN=ann@example.test", "XCLIENT HELO=a.example",
                                       "XCLIENT ADDR=203.0.113.5", "XCLIENT ADDR=[UNAVAILABLE]", "XCLIENT LOGIN=a+0D+0Ab ADDR=203.0.113.6"}));
  const auto& seen = world.judge.answers.seen;
  REQUIRE(seen.size() == 6);
  CHECK(seen[2].login == "ann@example.test");   // an XCLIENT without ADDR tells more of the same client
  CHECK(seen[3].ip.to_string() == "203.0.113.5");
  CHECK(seen[3].login.empty());
  CHECK(seen[3].port == 0);
  CHECK_FALSE(seen[4].known);
  CHECK_FALSE(seen[4].trusted);                 // the proxy's own address makes nobody ours
  CHECK(seen[5].known);
  CHECK(seen[5].login == "a\\x0d\\x0ab");
}

TEST_CASE("MAIL and RCPT are answered before the octets of a chunk are waited for") {
  World world;
  world.judge.answers.message.verdict = "ham";
  auto said = world.loop.block_on(waits_before_its_chunk(world));
  CHECK(said[0].substr(0, 3) == "250");
  CHECK(said[1].substr(0, 3) == "250");
  CHECK(said[2].substr(0, 3) == "250");
}

TEST_CASE("who was refused at connect does not hold up the end of the program") {
  World world;
  world.judge.answers.connect.action = Action::reject;
  world.loop.block_on(drained_behind_a_refusal(world));
}
