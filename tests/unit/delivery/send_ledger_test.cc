// How much a user may send.
#include "gateway/delivery/send_ledger.h"

#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace std::chrono_literals;
using delivery::SendLedger;

namespace {

struct World {
  World() { ann = *store.account(store.add_account("ann@example.test")); }

  void limit(std::uint64_t messages, std::uint64_t recipients, std::uint64_t strangers) {
    submission.limits = {messages, recipients, strangers};
    ledger->configure(submission);
  }
  // As Deliverer does it: what is to be committed is committed.
  SendLedger::Counted send(std::size_t recipients = 1, std::vector<std::string> strangers = {}) {
    auto counted = loop.block_on(ledger->count(ann, recipients, std::move(strangers))).value();
    loop.block_on(store.write(counted.rows));
    return counted;
  }
  void restart() {
    ledger = std::make_unique<SendLedger>(store, clock);
    ledger->configure(submission);
    REQUIRE(loop.block_on(ledger->load()));
  }

  io::Loop loop;
  test::MemoryStore store;
  store::Account ann;
  FixedClock clock{from_unix(1'795'492'742)};
  config::Submission submission;
  std::unique_ptr<SendLedger> ledger = std::make_unique<SendLedger>(store, clock);
};

std::vector<std::string> people(int from, int to) {
  std::vector<std::string> out;
  for (int i = from; i < to; ++i) out.push_back("p" + std::to_string(i) + "@far.example");
  return out;
}

}  // namespace

TEST_CASE("the message that is too much for the hour stops its sender, and the next hour does not help him") {
  World world;
  world.limit(3, 0, 0);
  for (int i = 0; i < 3; ++i) CHECK(world.send().over.empty());
  CHECK_FALSE(world.ledger->stopped(world.ann.id));
  auto fourth = world.send();
  CHECK(fourth.over == "more than 3 messages within an hour");
  CHECK(fourth.stops);
  REQUIRE(world.ledger->stopped(world.ann.id));
  CHECK(world.ledger->stopped(world.ann.id)->reason == fourth.over);
  world.clock.set(world.clock.now() + 3h);
  auto later = world.send();
  CHECK(later.over == "sending was stopped: more than 3 messages within an hour");
  CHECK_FALSE(later.stops);
}

TEST_CASE("an hour is any hour, not one of the clock") {
  World world;
  world.limit(10, 0, 0);
  world.send();
  world.clock.set(world.clock.now() + 50min);
  for (int i = 0; i < 9; ++i) CHECK(world.send().over.empty());
  world.clock.set(world.clock.now() + 15min);   // in the next window; of the ten before it nine are not an hour ago
  CHECK(world.send().over.empty());
  CHECK_FALSE(world.send().over.empty());
  World patient;
  patient.limit(10, 0, 0);
  for (int i = 0; i < 100; ++i) {
    CHECK(patient.send().over.empty());
    patient.clock.set(patient.clock.now() + 7min);
  }
}

TEST_CASE("recipients are counted, and those whom he never wrote to apart") {
  World world;
  world.limit(0, 5, 0);
  CHECK(world.send(5).over.empty());
  CHECK(world.send(1).over == "more than 5 recipients within an hour");
  World social;
  social.limit(0, 0, 10);
  CHECK(social.send(10, people(0, 10)).over.empty());
  CHECK(social.send(10, people(0, 10)).over.empty());   // he knows them now
  CHECK(social.send(2, {"P3@Far.Example", "p4@far.example"}).over.empty());
  auto over = social.send(1, people(10, 11));
  CHECK(over.over == "more than 10 recipients within a day to whom this user had never written");
  CHECK(social.store.general.contains("known:1:p3@far.example"));
  CHECK_FALSE(social.store.general.contains("known:1:p10@far.example"));   // held: not met
}

TEST_CASE("somebody named twice in one message is one") {
  World world;
  world.limit(0, 0, 1);
  CHECK(world.send(2, {"a@far.example", "A@far.example"}).over.empty());
}

TEST_CASE("no limit counts nobody's acquaintances") {
  World world;
  world.limit(0, 0, 0);
  for (int i = 0; i < 50; ++i) CHECK(world.send(100, people(i, i + 100)).over.empty());
  CHECK(world.store.general.size() == 1);
}

TEST_CASE("a user may have limits of his own") {
  World world;
  world.submission.users["ann@example.test"] = {0, 0, 0};
  world.limit(1, 1, 1);
  for (int i = 0; i < 5; ++i) CHECK(world.send(9, people(0, 9)).over.empty());
  world.ann.address = "bob@example.test";
  CHECK_FALSE(world.send(9).over.empty());
}

TEST_CASE("counts, acquaintances and stops outlive the program") {
  World world;
  world.limit(0, 4, 2);
  world.send(3, people(0, 2));
  world.restart();
  CHECK(world.send(1, people(0, 1)).over.empty());
  CHECK(world.send(1).stops);
  world.restart();
  REQUIRE(world.ledger->stopped(world.ann.id));
  CHECK(world.ledger->stopped(world.ann.id)->reason == "more than 4 recipients within an hour");
  world.store.general["stopped:1"] = "rubbish";
  world.restart();
  CHECK(world.ledger->stopped(world.ann.id));   // a damaged row opens no door
}

TEST_CASE("who is let send again begins anew") {
  World world;
  world.limit(1, 0, 0);
  world.send();
  world.send();
  REQUIRE(world.ledger->stopped(world.ann.id));
  CHECK(world.loop.block_on(world.ledger->resume(world.ann.id)).ok());
  CHECK_FALSE(world.ledger->stopped(world.ann.id));
  CHECK(world.send().over.empty());
  world.restart();
  CHECK_FALSE(world.ledger->stopped(world.ann.id));
  CHECK(world.loop.block_on(world.ledger->stop(world.ann.id, "left the company")).ok());
  CHECK(world.send().over == "sending was stopped: left the company");
  world.store.fail_with = store::Outcome::broken;
  CHECK_FALSE(world.loop.block_on(world.ledger->resume(world.ann.id)).ok());
  CHECK(world.ledger->stopped(world.ann.id));
}

TEST_CASE("what was not committed stops nobody") {
  World world;
  world.limit(1, 0, 0);
  world.send();
  auto counted = world.loop.block_on(world.ledger->count(world.ann, 1, {})).value();
  CHECK(counted.stops);
  world.ledger->not_committed(world.ann.id, counted);
  CHECK_FALSE(world.ledger->stopped(world.ann.id));
}

TEST_CASE("a store that cannot be read is told, not taken for an empty one") {
  World world;
  world.store.unreadable = true;
  CHECK_FALSE(world.loop.block_on(world.ledger->count(world.ann, 1, {})));
  CHECK_FALSE(world.loop.block_on(world.ledger->load()));
}

TEST_CASE("a clock that is set back forgets nothing, and one that is ahead frees nobody for ever") {
  World world;
  world.limit(3, 0, 0);
  world.send();
  world.send();
  world.clock.set(world.clock.now() - 48h);
  CHECK(world.send().over.empty());
  CHECK(world.send().stops);
}

TEST_CASE("what is known of whom is forgotten by age, by number, and with the account") {
  World world;
  auto day = to_unix(world.clock.now()) / 86400;
  for (std::size_t i = 0; i < SendLedger::kMostKnown + 30; ++i) {
    world.store.general["known:1:" + std::to_string(i) + "@far.example"] = std::to_string(day - (i < 25 ? 20 : 1));
  }
  world.store.general["known:1:old@far.example"] = std::to_string(day - 400);
  world.store.general["known:77:a@far.example"] = std::to_string(day);
  world.store.general["sent:77"] = "x";
  world.store.general["stopped:77"] = "x";
  world.store.general["stopped:1"] = "x";
  REQUIRE(world.loop.block_on(world.ledger->sweep()));
  CHECK_FALSE(world.store.general.contains("known:1:old@far.example"));
  CHECK_FALSE(world.store.general.contains("known:1:3@far.example"));
  CHECK(world.store.general.contains("known:1:19999@far.example"));
  CHECK(world.store.general.contains("stopped:1"));
  CHECK(world.store.general.size() == SendLedger::kMostKnown + 1);
}
