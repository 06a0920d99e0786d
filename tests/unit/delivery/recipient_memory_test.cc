// What was said of a recipient: how long it is worth something, and what survives a restart.
#include "gateway/delivery/recipient_memory.h"

#include <algorithm>
#include <map>
#include <string>

#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"
#include "tests/support/temporary_directory.h"

using namespace postern;
using namespace std::chrono_literals;
using delivery::RecipientMemory;
using Kind = RecipientMemory::Recalled::Kind;

namespace {

const std::string kRoute = "smtp://10.0.0.5:25 tls=may";

struct World {
  io::Loop loop;
  FixedClock clock{from_unix(1'795'492'742)};
  test::MemoryStore store;
  RecipientMemory memory{clock};

  Kind recall(std::string_view address, std::string_view route = kRoute) { return memory.recall(route, address).kind; }
  void save() { loop.block_on(memory.save(store)); }
  // A new process' memory.
  Kind after_restart(std::string_view address, std::size_t most = RecipientMemory::kMost) {
    RecipientMemory fresh(clock, most);
    REQUIRE(loop.block_on(fresh.load(store)));
    loop.block_on(fresh.save(store));
    return fresh.recall(kRoute, address).kind;
  }
  void pass(Time::duration wait) { clock.set(clock.now() + wait); }
};

}  // namespace

TEST_CASE("of an address that nobody asked for nothing is known") {
  World world;
  CHECK(world.recall("ann@corp.test") == Kind::nothing);
}

TEST_CASE("a yes is fresh for a day, good for 31 and then forgotten") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.pass(24h - 1s);
  CHECK(world.recall("ann@corp.test") == Kind::known);
  world.pass(1s);
  CHECK(world.recall("ann@corp.test") == Kind::stale);
  world.pass(30 * 24h - 1s);
  CHECK(world.recall("ann@corp.test") == Kind::stale);
  world.pass(1s);
  CHECK(world.recall("ann@corp.test") == Kind::nothing);
}

TEST_CASE("a yes that is said again is fresh again") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.pass(48h);
  world.memory.note_known(kRoute, "ann@corp.test");
  CHECK(world.recall("ann@corp.test") == Kind::known);
}

TEST_CASE("a no is good for ten minutes, with the host's words") {
  World world;
  world.memory.note_unknown(kRoute, "bob@corp.test", "550 5.1.1 No bob here");
  world.pass(10min - 1s);
  auto recalled = world.memory.recall(kRoute, "bob@corp.test");
  CHECK(recalled.kind == Kind::unknown);
  CHECK(recalled.words == "550 5.1.1 No bob here");
  world.pass(1s);
  CHECK(world.recall("bob@corp.test") == Kind::nothing);
}

TEST_CASE("of the words behind a no 200 octets are kept") {
  World world;
  world.memory.note_unknown(kRoute, "bob@corp.test", std::string(10'000, 'x'));
  CHECK(world.memory.recall(kRoute, "bob@corp.test").words == std::string(200, 'x'));
}

TEST_CASE("a no ends a yes, and a yes ends a no") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.memory.note_unknown(kRoute, "ann@corp.test", "gone");
  CHECK(world.recall("ann@corp.test") == Kind::unknown);
  world.pass(11min);
  CHECK(world.recall("ann@corp.test") == Kind::nothing);
  world.memory.note_unknown(kRoute, "ann@corp.test", "gone");
  world.memory.note_known(kRoute, "ann@corp.test");
  CHECK(world.recall("ann@corp.test") == Kind::known);
}

TEST_CASE("what one route said is worth nothing for another") {
  World world;
  world.memory.note_known("smtp://10.0.0.6:25 tls=may", "ann@corp.test");
  world.memory.note_unknown("smtp://10.0.0.6:25 tls=may", "bob@corp.test", "no");
  CHECK(world.recall("ann@corp.test") == Kind::nothing);
  CHECK(world.recall("bob@corp.test") == Kind::nothing);
  CHECK(world.recall("ann@corp.test", "smtp://10.0.0.6:25 tls=may") == Kind::known);
}

TEST_CASE("behind a clock that was put back a yes is asked again and a no is worth nothing") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.memory.note_unknown(kRoute, "bob@corp.test", "no");
  world.pass(-1h);
  CHECK(world.recall("ann@corp.test") == Kind::stale);
  CHECK(world.recall("bob@corp.test") == Kind::nothing);
}

TEST_CASE("of each kind so many addresses are kept, those that were wanted last") {
  World world;
  RecipientMemory memory(world.clock, 3);
  for (const char* name : {"a", "b", "c"}) memory.note_known(kRoute, name);
  CHECK(memory.recall(kRoute, "a").kind == Kind::known);
  for (const char* name : {"u", "v", "w", "x"}) memory.note_unknown(kRoute, name, "no");
  memory.note_known(kRoute, "d");
  CHECK(memory.recall(kRoute, "b").kind == Kind::nothing);
  for (const char* name : {"a", "c", "d"}) CHECK(memory.recall(kRoute, name).kind == Kind::known);
  CHECK(memory.recall(kRoute, "u").kind == Kind::nothing);
  for (const char* name : {"v", "w", "x"}) CHECK(memory.recall(kRoute, name).kind == Kind::unknown);
}

TEST_CASE("a yes survives a restart with its age, a no does not") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.memory.note_unknown(kRoute, "bob@corp.test", "no");
  world.save();
  CHECK(world.store.general == std::map<std::string, std::string>{{"known:ann@corp.test", "1795492742 " + kRoute}});
  CHECK(world.after_restart("ann@corp.test") == Kind::known);
  CHECK(world.after_restart("bob@corp.test") == Kind::nothing);
  world.pass(25h);
  CHECK(world.after_restart("ann@corp.test") == Kind::stale);
}

TEST_CASE("a yes survives in a store on disk") {
  World world;
  test::TemporaryDirectory folder;
  store::StoreOptions options;
  options.directory = folder.path() + "/store";
  options.low_space_octets = 0;
  io::WorkerPool workers(1);
  {
    auto opened = store::Store::open(options, workers);
    REQUIRE(opened);
    world.memory.note_known(kRoute, "ann@corp.test");
    world.memory.note_known(kRoute, "bob@corp.test");
    world.loop.block_on(world.memory.save(**opened));
    world.memory.note_unknown(kRoute, "bob@corp.test", "gone");
    world.loop.block_on(world.memory.save(**opened));
  }
  auto again = store::Store::open(options, workers);
  REQUIRE(again);
  RecipientMemory fresh(world.clock);
  REQUIRE(world.loop.block_on(fresh.load(**again)));
  CHECK(fresh.recall(kRoute, "ann@corp.test").kind == Kind::known);
  CHECK(fresh.recall(kRoute, "bob@corp.test").kind == Kind::nothing);
}

TEST_CASE("a row is written anew when it is a day older than the answer, not before") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.save();
  world.pass(23h);
  world.memory.note_known(kRoute, "ann@corp.test");
  world.save();
  CHECK(world.store.writes.size() == 1);
  world.pass(1h);
  world.memory.note_known(kRoute, "ann@corp.test");
  world.save();
  CHECK(world.store.writes.size() == 2);
  CHECK(world.store.general["known:ann@corp.test"] == "1795579142 " + kRoute);
}

TEST_CASE("the row goes when the host says no") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.save();
  world.memory.note_unknown(kRoute, "ann@corp.test", "gone");
  world.save();
  CHECK(world.store.general.empty());
}

TEST_CASE("the row goes with a yes that nobody wanted for 31 days") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.memory.note_known(kRoute, "bob@corp.test");
  world.save();
  world.pass(31 * 24h);
  CHECK(world.recall("ann@corp.test") == Kind::nothing);
  world.save();
  CHECK(world.store.general.empty());
}

TEST_CASE("the row goes with a yes that had to make room") {
  World world;
  RecipientMemory memory(world.clock, 2);
  for (const char* name : {"a", "b"}) memory.note_known(kRoute, name);
  world.loop.block_on(memory.save(world.store));
  memory.note_known(kRoute, "c");
  world.loop.block_on(memory.save(world.store));
  CHECK(world.store.general.size() == 2);
  CHECK_FALSE(world.store.general.contains("known:a"));
}

TEST_CASE("rows that are too old, damaged or too many are erased at the start") {
  World world;
  world.store.general = {{"known:old@corp.test", std::to_string(to_unix(world.clock.now() - 31 * 24h)) + " " + kRoute},
                         {"known:rubbish@corp.test", "yesterday " + kRoute},
                         {"known:huge@corp.test", "18446744073709551615 " + kRoute},
                         {"known:short@corp.test", "1795492742"},
                         {"known:empty@corp.test", ""},
                         {"known:a@corp.test", "1795492742 " + kRoute},
                         {"known:b@corp.test", "1795492742 " + kRoute},
                         {"known:c@corp.test", "1795492742 " + kRoute},
                         {"known:d@corp.test", "1795492742 " + kRoute},
                         {"knows", "another's row"}};
  CHECK(world.after_restart("d@corp.test", 3) == Kind::known);
  CHECK(world.store.general.size() == 4);
  for (const char* key : {"known:b@corp.test", "known:c@corp.test", "known:d@corp.test", "knows"}) CHECK(world.store.general.contains(key));
}

TEST_CASE("a row does not undo what was heard since the start") {
  World world;
  world.store.general["known:ann@corp.test"] = std::to_string(to_unix(world.clock.now() - 48h)) + " " + kRoute;
  world.memory.note_known(kRoute, "ann@corp.test");
  REQUIRE(world.loop.block_on(world.memory.load(world.store)));
  CHECK(world.recall("ann@corp.test") == Kind::known);
}

TEST_CASE("rows are written in batches and loaded in pages") {
  World world;
  for (int i = 0; i < 5'001; ++i) world.memory.note_known(kRoute, std::to_string(i) + "@corp.test");
  world.save();
  CHECK(world.store.writes.size() == 11);
  CHECK(*std::max_element(world.store.writes.begin(), world.store.writes.end()) == 500);
  CHECK(world.after_restart("0@corp.test") == Kind::known);
  CHECK(world.after_restart("999@corp.test") == Kind::known);
}

TEST_CASE("what a store that fails did not take comes with the next save") {
  World world;
  world.memory.note_known(kRoute, "ann@corp.test");
  world.store.fail_with = store::Outcome::no_space;
  world.save();
  world.save();
  CHECK(world.store.general.empty());
  CHECK(world.recall("ann@corp.test") == Kind::known);
  world.store.fail_with = store::Outcome::done;
  world.save();
  CHECK(world.store.general.size() == 1);
}

TEST_CASE("what waits for a store that fails is bounded") {
  World world;
  RecipientMemory memory(world.clock, 10);
  world.store.fail_with = store::Outcome::broken;
  for (int i = 0; i < 1'000; ++i) memory.note_known(kRoute, std::to_string(i));
  world.loop.block_on(memory.save(world.store));
  world.store.fail_with = store::Outcome::done;
  world.loop.block_on(memory.save(world.store));
  REQUIRE(world.store.writes.size() == 1);
  CHECK(world.store.writes[0] == 20);
}

TEST_CASE("rows that cannot be read are an error at the start") {
  World world;
  world.store.unreadable = true;
  auto loaded = world.loop.block_on(world.memory.load(world.store));
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().text == "a bad sector");
}
