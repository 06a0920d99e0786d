// Asking the host behind, over real sockets.
#include "gateway/delivery/recipient_check.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/support/recipient_host.h"

using namespace postern;
using namespace std::chrono_literals;
using delivery::RecipientCheck;
using Answer = RecipientCheck::Answer;
using enum Answer::Kind;

namespace {

const std::string kAnn = "ann@corp.test";
const std::string kBob = "bob@corp.test";

struct World {
  io::Loop loop;
  FixedClock clock{from_unix(1'795'492'742)};
  delivery::RecipientMemory memory{clock};
  dns::FixedResolver resolver;
  delivery::Connector connector{resolver, self()};
  test::RecipientHost host{loop};
  RecipientCheck check;
  delivery::RoutePtr route;

  explicit World(RecipientCheck::Limits limits = {}, bool lmtp = false) : check(connector, memory, limits) {
    host.replies[kAnn] = "250 2.1.5 Ok";
    route = route_to(host.port(), lmtp);
  }
  ~World() { loop.end_tasks(); }

  static delivery::Connector::Self self() {
    delivery::Connector::Self out;
    out.hostname = "gate.test";
    out.timeouts = RecipientCheck::timeouts();
    return out;
  }
  static delivery::RoutePtr route_to(std::uint16_t port, bool lmtp) {
    auto out = std::make_shared<delivery::Route>();
    config::Host host;
    host.lmtp = lmtp;
    host.name = "127.0.0.1";
    host.port = port;
    out->hosts.push_back(host);
    out->key = host.to_string();
    return out;
  }

  Answer ask(std::string address) { return loop.block_on(check.ask(route, std::move(address))); }
  Answer::Kind kind(std::string address) { return ask(std::move(address)).kind; }
  void until_heard(std::string command, std::size_t times = 1) { loop.block_on(host.until_heard(std::move(command), times)); }
  void pass(Time::duration wait) { clock.set(clock.now() + wait); }
};

RecipientCheck::Limits limits(std::size_t connections) {
  RecipientCheck::Limits out;
  out.connections = connections;
  return out;
}

std::vector<std::string> addresses(int number) {
  std::vector<std::string> out;
  for (int i = 0; i < number; ++i) out.push_back("user" + std::to_string(i) + "@corp.test");
  return out;
}

// Lets the host answer once it has heard so many RCPT.
io::Task<Answer> release(test::RecipientHost& host, std::size_t rcpts) {
  co_await host.until_heard("RCPT", rcpts);
  host.let_go();
  co_return Answer();
}

// Of all questions at once; the host answers none before it has heard `rcpts` of them.
std::vector<Answer> ask_together(World& world, const std::vector<std::string>& addresses, std::size_t rcpts) {
  world.host.holds = true;
  std::vector<io::Task<Answer>> tasks;
  for (const auto& address : addresses) tasks.push_back(world.check.ask(world.route, address));
  tasks.push_back(release(world.host, rcpts));
  auto answers = world.loop.block_on(io::together(std::move(tasks)));
  answers.pop_back();
  return answers;
}

io::Task<void> ask_into(World& world, std::string address, std::optional<Answer>& answer) {
  auto got = co_await world.check.ask(world.route, std::move(address));
  answer = std::move(got);
}

}  // namespace

TEST_CASE("the host is asked with the null reverse-path, and once") {
  World world;
  CHECK(world.kind(kAnn) == known);
  CHECK(world.kind(kAnn) == known);
  CHECK(world.host.heard == std::vector<std::string>{"EHLO gate.test", "MAIL FROM:<>", "RCPT TO:<ann@corp.test>", "RSET"});
}

TEST_CASE("an unknown recipient comes with the host's words, also from memory") {
  World world;
  for (int i = 0; i < 2; ++i) {
    auto answer = world.ask(kBob);
    CHECK(answer.kind == unknown);
    CHECK(answer.words == "550 5.1.1 User unknown");
  }
  CHECK(world.host.count("RCPT") == 1);
}

TEST_CASE("an address in upper case is the same address") {
  World world;
  CHECK(world.kind("Ann@Corp.Test") == known);
  CHECK(world.kind(kAnn) == known);
  CHECK(world.host.count("RCPT TO:<ann@corp.test>") == 1);
}

TEST_CASE("a yes is asked again after a day, a no after ten minutes") {
  World world;
  CHECK(world.kind(kAnn) == known);
  CHECK(world.kind(kBob) == unknown);
  world.host.replies[kBob] = "250 2.1.5 Ok";
  world.pass(10min);
  CHECK(world.kind(kBob) == known);
  world.host.replies.clear();
  world.pass(24h);
  CHECK(world.kind(kAnn) == unknown);
  CHECK(world.host.count("RCPT") == 4);
}

TEST_CASE("a host that takes every address knows every address") {
  World world;
  world.host.otherwise = "250 2.1.5 Ok";
  CHECK(world.kind("anything@corp.test") == known);
}

TEST_CASE("a deferral is unsure and is not remembered") {
  World world;
  world.host.replies[kAnn] = "450 4.2.0 Greylisted";
  auto answer = world.ask(kAnn);
  CHECK(answer.kind == unsure);
  CHECK(answer.words == "450 4.2.0 Greylisted");
  world.host.replies[kAnn] = "250 2.1.5 Ok";
  CHECK(world.kind(kAnn) == known);
}

TEST_CASE("a refusal of us is unsure and is not remembered") {
  World world;
  world.host.mail = "550 5.7.1 Not from you";
  CHECK(world.ask(kAnn).words == "550 5.7.1 Not from you (in reply to MAIL FROM)");
  world.host.mail = "250 2.1.0 Ok";
  CHECK(world.kind(kAnn) == known);
}

TEST_CASE("who was known in the last 31 days stays so while the host defers") {
  World world;
  CHECK(world.kind(kAnn) == known);
  world.host.replies[kAnn] = "451 4.3.0 Later";
  world.pass(31 * 24h - 1s);
  CHECK(world.kind(kAnn) == known);
  world.pass(1s);
  CHECK(world.kind(kAnn) == unsure);
}

TEST_CASE("who was known in the last 31 days stays so while the host is away") {
  World world;
  world.host.leaves_behind_rset = true;
  CHECK(world.kind(kAnn) == known);
  world.loop.block_on(world.host.until_left());
  world.host.close();
  world.pass(31 * 24h - 1s);
  CHECK(world.kind(kAnn) == known);
  world.pass(1s);
  CHECK(world.kind(kAnn) == unsure);
}

TEST_CASE("a no of the host ends a yes that is to be asked again") {
  World world;
  CHECK(world.kind(kAnn) == known);
  world.host.replies.clear();
  world.pass(24h);
  CHECK(world.kind(kAnn) == unknown);
  world.host.replies[kAnn] = "451 4.3.0 Later";
  world.pass(11min);
  CHECK(world.kind(kAnn) == unsure);
}

TEST_CASE("questions for one address at the same time are one, and all hear the answer") {
  World world;
  for (const auto& answer : ask_together(world, {kAnn, kAnn, "ANN@corp.test"}, 1)) CHECK(answer.kind == known);
  for (const auto& answer : ask_together(world, {kBob, kBob}, 2)) CHECK(answer.words == "550 5.1.1 User unknown");
  CHECK(world.host.count("RCPT") == 2);
}

TEST_CASE("an asker that is gone takes nothing from the others") {
  World world;
  world.host.holds = true;
  std::optional<Answer> first;
  std::optional<Answer> second;
  auto id = world.loop.spawn(ask_into(world, kAnn, first), "asker");
  world.loop.spawn(ask_into(world, kAnn, second), "asker");
  world.until_heard("RCPT");
  world.loop.cancel(id);
  world.host.let_go();
  CHECK(world.kind(kAnn) == known);
  CHECK_FALSE(first);
  REQUIRE(second);
  CHECK(second->kind == known);
  CHECK(world.host.count("RCPT") == 1);
}

TEST_CASE("an answer for which nobody waits any more is remembered") {
  World world;
  world.host.holds = true;
  std::optional<Answer> none;
  auto id = world.loop.spawn(ask_into(world, kAnn, none), "asker");
  world.until_heard("RCPT");
  world.loop.cancel(id);
  world.host.let_go();
  world.until_heard("RSET");
  CHECK(world.kind(kAnn) == known);
  CHECK_FALSE(none);
  CHECK(world.host.count("RCPT") == 1);
}

TEST_CASE("a connection is kept for the next questions") {
  World world;
  CHECK(world.kind(kAnn) == known);
  CHECK(world.kind(kBob) == unknown);
  CHECK(world.host.connections == 1);
  CHECK(world.host.count("EHLO") == 1);
}

TEST_CASE("a kept connection that was closed meanwhile is replaced") {
  World world;
  world.host.leaves_behind_rset = true;
  CHECK(world.kind(kAnn) == known);
  world.loop.block_on(world.host.until_left());
  CHECK(world.kind(kBob) == unknown);
  CHECK(world.host.connections == 2);
}

TEST_CASE("a kept connection that ends at the next question is replaced at once") {
  for (const char* farewell : {"", "421 4.4.2 Too long idle", "451 4.3.0 Not over this one", "rubbish"}) {
    INFO(farewell);
    World world;
    world.host.leaves_at_mail = 2;
    world.host.farewell = farewell;
    CHECK(world.kind(kAnn) == known);
    CHECK(world.kind(kBob) == unknown);
    CHECK(world.host.connections == 2);
  }
}

TEST_CASE("a connection that is new and ends is not replaced") {
  World world;
  world.host.leaves_at_mail = 1;
  CHECK(world.kind(kAnn) == unsure);
  CHECK(world.host.connections == 1);
}

TEST_CASE("a loss at RCPT is heard by all who asked, and is unsure") {
  World world;
  world.host.otherwise = "";
  for (const auto& answer : ask_together(world, {kBob, kBob}, 1)) {
    CHECK(answer.kind == unsure);
    CHECK(answer.words.starts_with("connection lost at RCPT TO"));
  }
}

TEST_CASE("a connection without a question is closed politely") {
  auto soon = limits(10);
  soon.idle = 1ms;
  World world(soon);
  CHECK(world.kind(kAnn) == known);
  world.until_heard("QUIT");
  world.loop.block_on(world.host.until_left());
  CHECK(world.kind(kBob) == unknown);
}

TEST_CASE("after some refusals the connection is a new one, before the host counts us out") {
  World world;
  for (int i = 0; i < 5; ++i) CHECK(world.kind(std::to_string(i) + "@corp.test") == unknown);
  CHECK(world.host.connections == 2);
  CHECK(world.host.count("QUIT") == 1);
}

TEST_CASE("a host that cannot be reached makes only the first wait") {
  World world;
  world.host.close();
  auto first = world.ask(kAnn);
  CHECK(first.kind == unsure);
  CHECK(first.words.starts_with("connect to 127.0.0.1:"));
  world.host.open_again();
  auto second = world.ask(kBob);
  CHECK(second.kind == unsure);
  CHECK(second.words == first.words);
  CHECK(world.host.connections == 0);
}

TEST_CASE("a host that comes back is asked again behind the pause") {
  auto impatient = limits(10);
  impatient.pause = 0ms;
  World world(impatient);
  world.host.close();
  CHECK(world.kind(kAnn) == unsure);
  world.host.open_again();
  CHECK(world.kind(kAnn) == known);
}

TEST_CASE("a host that greets with a refusal is not asked") {
  World world;
  world.host.greetings = {"554 5.7.1 Go away"};
  auto answer = world.ask(kAnn);
  CHECK(answer.kind == unsure);
  CHECK(answer.words == "554 5.7.1 Go away (in reply to the greeting)");
  CHECK(world.kind(kBob) == unsure);
  CHECK(world.host.connections == 1);
}

TEST_CASE("a host is asked by LMTP where the route says so") {
  World world({}, true);
  CHECK(world.kind(kAnn) == known);
  CHECK(world.kind(kBob) == unknown);
  CHECK(world.host.heard.front() == "LHLO gate.test");
}

TEST_CASE("the second host of a route is asked when the first is away") {
  World world;
  test::RecipientHost away(world.loop);
  away.close();
  auto both = std::make_shared<delivery::Route>(*World::route_to(away.port(), false));
  both->hosts.push_back(world.route->hosts.front());
  world.route = both;
  CHECK(world.kind(kAnn) == known);
}

TEST_CASE("questions are put side by side, over no more connections than allowed") {
  World world(limits(3));
  world.host.otherwise = "250 2.1.5 Ok";
  for (const auto& answer : ask_together(world, addresses(20), 3)) CHECK(answer.kind == known);
  CHECK(world.host.connections == 3);
  CHECK(world.host.count("RCPT") == 20);
}

TEST_CASE("questions for which no connection is free wait in turn") {
  World world(limits(1));
  world.host.otherwise = "250 2.1.5 Ok";
  ask_together(world, addresses(20), 1);
  std::vector<std::string> asked;
  for (const auto& line : world.host.heard) {
    if (line.starts_with("RCPT")) asked.push_back(line.substr(9, line.size() - 10));
  }
  CHECK(asked == addresses(20));
}

TEST_CASE("a host that refuses more connections answers over those that it has") {
  World world;
  world.host.greetings.assign(10, "421 4.7.0 Too many connections");
  world.host.greetings[0] = "220 host.test";
  world.host.holds = true;
  std::optional<Answer> first;
  std::optional<Answer> second;
  world.loop.spawn(ask_into(world, kAnn, first), "asker");
  world.until_heard("RCPT");
  world.loop.spawn(ask_into(world, kBob, second), "asker");
  world.loop.block_on(world.host.until_came(2));
  std::optional<Answer> third;
  world.loop.spawn(ask_into(world, "third@corp.test", third), "asker");
  world.host.let_go();
  world.until_heard("RCPT", 3);
  for (const auto& address : {kAnn, kBob, std::string("third@corp.test")}) world.ask(address);   // until all have ended
  REQUIRE(first);
  CHECK(first->kind == known);
  REQUIRE(second);
  CHECK(second->kind == unknown);
  REQUIRE(third);
  CHECK(third->kind == unknown);
}

TEST_CASE("a wait is bounded, and a late answer is remembered") {
  auto short_wait = limits(1);
  short_wait.answer = 50ms;
  World world(short_wait);
  world.host.holds = true;
  auto answer = world.ask(kAnn);
  CHECK(answer.kind == unsure);
  CHECK(answer.words == "no answer in time");
  auto queued = world.ask(kBob);
  CHECK(queued.kind == unsure);
  world.until_heard("RCPT");
  world.host.let_go();
  for (int i = 0; i < 100 && world.kind(kAnn) != known; ++i) INFO(i);   // a busy machine may need more than one wait
  CHECK(world.kind(kAnn) == known);
  CHECK(world.host.count("RCPT") == 1);
}

TEST_CASE("more questions than may wait are unsure at once") {
  auto few = limits(1);
  few.waiting = 2;
  World world(few);
  world.host.otherwise = "250 2.1.5 Ok";
  auto answers = ask_together(world, {"a@corp.test", "b@corp.test", "c@corp.test"}, 1);
  CHECK(answers[0].kind == known);
  CHECK(answers[1].kind == known);
  CHECK(answers[2].kind == unsure);
  CHECK(answers[2].words == "too many questions wait for the host already");
}

TEST_CASE("questions that are under way when the loop ends are dropped with it") {
  World world(limits(1));
  world.host.holds = true;
  std::optional<Answer> none;
  for (const auto& address : {kAnn, kBob}) world.loop.spawn(ask_into(world, address, none), "asker");
  world.until_heard("RCPT");
  world.loop.end_tasks();
  CHECK_FALSE(none);
}
