// What the gateway looks after by itself.
#include "gateway/admin/watch.h"

#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace std::chrono_literals;

TEST_CASE("old traces are forgotten, oldest first, and nothing else is") {
  store::test::Fixture world;
  auto now = Clock::system().now();
  std::vector<store::Row> rows;
  for (int i = 0; i < 1200; ++i) {
    char id[8];
    std::snprintf(id, sizeof id, "%04d", i);
    auto made = i < 1100 ? now - 40 * 24h : now - 24h;
    rows.push_back({std::string("trace:") + id, "{\"time\":\"" + rfc3339(made) + "\"}"});
  }
  rows.push_back({"rule:count", "1"});
  REQUIRE(world.run(world.store->write(std::move(rows))).ok());
  world.run(admin::forget_traces(*world.store, now - 30 * 24h));
  auto left = world.rows("trace:");
  REQUIRE(left.size() == 100);
  CHECK(left.front().key == "trace:1100");
  CHECK(world.value("rule:count").has_value());
}

TEST_CASE("a trace that cannot be read does not keep the others alive") {
  store::test::Fixture world;
  auto now = Clock::system().now();
  std::vector<store::Row> rows;
  rows.push_back({"trace:1", "no json"});
  rows.push_back({"trace:2", "{\"time\":\"" + rfc3339(now - 40 * 24h) + "\"}"});
  rows.push_back({"trace:3", "{\"time\":\"" + rfc3339(now) + "\"}"});
  REQUIRE(world.run(world.store->write(std::move(rows))).ok());
  world.run(admin::forget_traces(*world.store, now - 30 * 24h));
  CHECK(world.rows("trace:").size() == 1);
}

TEST_CASE("counters that cannot be read are an error, not a beginning without them") {
  store::test::Plan plan;
  store::test::FailingFiles files(plan);
  store::test::Fixture world(store::test::failing_ground(files, plan));
  filters::Counters counters;
  counters.remember("key", 60s, "value");
  world.run(admin::save_counters(*world.store, counters));
  filters::Counters loaded;
  plan.bad_rows = 'g';
  CHECK_FALSE(world.run(admin::load_counters(*world.store, loaded)));
  plan.bad_rows = '\0';
  CHECK(world.run(admin::load_counters(*world.store, loaded)));
  CHECK(loaded.recall("key") == std::optional<std::string>("value"));
}
