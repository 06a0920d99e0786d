// What the gateway looks after by itself.
#include "gateway/admin/watch.h"

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
  auto left = world.run(world.store->scan("trace:", "trace:", 5000));
  REQUIRE(left.size() == 100);
  CHECK(left.front().key == "trace:1100");
  CHECK(world.run(world.store->get("rule:count")).has_value());
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
  CHECK(world.run(world.store->scan("trace:", "trace:", 10)).size() == 1);
}
