// What the gateway looks after by itself.
#include "gateway/admin/watch.h"

#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace std::chrono_literals;

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
