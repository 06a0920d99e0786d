// Who is next, how hard a host is worked on, and when it is left alone.
#include "gateway/delivery/queue_index.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;

namespace {

const Time kNow = from_unix(1'795'492'742);

config::Config config_with(std::initializer_list<std::pair<const char*, const char*>> relays) {
  config::Config out;
  for (auto [domain, host] : relays) {
    auto& made = out.domains.emplace_back();
    made.name = domain;
    made.relay.hosts.push_back(*config::parse_host(host));
  }
  return out;
}

struct World {
  config::Config config = config_with({{"one.test", "smtp://10.0.0.1"}, {"also-one.test", "smtp://10.0.0.1"}, {"two.test", "smtp://10.0.0.2"}});
  Routes routes{config};
  QueueIndex index{routes, settings()};

  static config::Queue settings() {
    config::Queue out;
    out.retry = {1min, 10min};
    out.expire = 24h;
    out.connections_per_route = 8;
    out.connections = 10;
    return out;
  }
  void put(store::QueueId id, const char* destination, Time due = kNow, Time arrived = kNow) { index.put(id, destination, arrived, due); }
  std::vector<store::QueueId> begin_all(Time now = kNow) {
    std::vector<store::QueueId> out;
    while (auto begun = index.enter(now)) {
      sites.push_back(begun->site);
      out.push_back(begun->id);
    }
    return out;
  }
  std::vector<Site*> sites;
};

}  // namespace

TEST_CASE("what is due longest begins first") {
  World w;
  w.put(1, "one.test", kNow - 1s);
  w.put(2, "two.test", kNow - 3s);
  w.put(3, "one.test", kNow - 2s);
  CHECK(w.begin_all() == std::vector<store::QueueId>{2, 3, 1});
}

TEST_CASE("what is not due waits, and next() says until when") {
  World w;
  w.put(1, "one.test", kNow + 5s);
  CHECK(w.begin_all().empty());
  CHECK(w.index.next() == kNow + 5s);
  CHECK(w.begin_all(kNow + 5s).size() == 1);
  CHECK_FALSE(w.index.next());
}

TEST_CASE("domains with the same host share its connections") {
  World w;
  for (store::QueueId id = 1; id <= 10; ++id) w.put(id, id % 2 == 0 ? "one.test" : "also-one.test");
  CHECK(w.begin_all().size() == 5);
  CHECK(w.sites.front()->route->hosts.front().name == "10.0.0.1");
}

TEST_CASE("a host is given more connections while it goes well, up to the limit") {
  World w;
  for (store::QueueId id = 1; id <= 40; ++id) w.put(id, "one.test");
  w.begin_all();
  for (int i = 0; i < 100; ++i) w.index.went_well(*w.sites.front());
  CHECK(w.begin_all().size() == 3);
  CHECK(w.sites.front()->workers == 8);
}

TEST_CASE("all routes together have no more connections than allowed") {
  World w;
  for (store::QueueId id = 1; id <= 40; ++id) w.put(id, id % 2 == 0 ? "one.test" : "two.test");
  auto begun = w.begin_all();
  CHECK(begun.size() == 10);
  CHECK_FALSE(w.index.next());
  w.index.finish(begun.front(), std::nullopt);
  w.index.leave(*w.sites.front());
  CHECK(w.begin_all().size() == 1);
}

TEST_CASE("trouble halves the connections") {
  World w;
  for (store::QueueId id = 1; id <= 10; ++id) w.put(id, "one.test");
  w.begin_all();
  w.index.went_badly(*w.sites.front());
  CHECK_FALSE(w.index.may_stay(*w.sites.front(), kNow));
  w.index.leave(*w.sites.front());
  w.index.leave(*w.sites.front());
  w.index.leave(*w.sites.front());
  CHECK(w.index.may_stay(*w.sites.front(), kNow));
}

TEST_CASE("a host that does not answer costs one attempt for all that waits for it, and others flow") {
  World w;
  for (store::QueueId id = 1; id <= 1000; ++id) w.put(id, "one.test");
  auto begun = w.begin_all();
  auto& site = *w.sites.front();
  CHECK(w.index.is_down(site, kNow, "no route to host"));
  CHECK_FALSE(w.index.is_down(site, kNow, "no route to host"));   // another worker of the same moment
  for (auto id : begun) {
    w.index.finish(id, kNow);
    w.index.leave(site);
  }
  CHECK(w.begin_all(kNow + 30s).empty());
  w.put(2000, "two.test");
  CHECK(w.begin_all(kNow + 30s) == std::vector<store::QueueId>{2000});
  REQUIRE(w.index.next());
  CHECK(*w.index.next() >= kNow + 54s);
  CHECK(*w.index.next() <= kNow + 66s);
  // Then one asks, not all.
  CHECK(w.begin_all(kNow + 67s).size() == 1);
  CHECK(w.index.size() == 1001);
}

TEST_CASE("the wait for a host that is down grows, but the company's own is asked each minute") {
  config::Config none;
  Routes routes(none);
  QueueIndex index(routes, World::settings());
  index.put(1, "far.test", kNow, kNow);
  auto begun = index.enter(kNow);
  REQUIRE(begun);
  index.is_down(*begun->site, kNow, "x");
  index.is_down(*begun->site, kNow + 2min, "x");
  CHECK(begun->site->quiet_until >= kNow + 2min + 9min);

  World w;
  w.put(1, "one.test");
  w.begin_all();
  w.index.is_down(*w.sites.front(), kNow, "x");
  w.index.is_down(*w.sites.front(), kNow + 2min, "x");
  CHECK(w.sites.front()->quiet_until <= kNow + 2min + 66s);
}

TEST_CASE("the operator wakes a host that was down") {
  World w;
  w.put(1, "one.test");
  w.begin_all();
  w.index.is_down(*w.sites.front(), kNow, "x");
  w.index.finish(1, kNow);
  w.index.leave(*w.sites.front());
  CHECK(w.begin_all().empty());
  w.index.wake("also-one.test");
  CHECK(w.begin_all().size() == 1);
}

TEST_CASE("what is changed while it is being sent is looked at again") {
  World w;
  w.put(1, "one.test");
  w.begin_all();
  w.put(1, "one.test", kNow + 1h);
  CHECK(w.index.finish(1, kNow + 1min));
  CHECK_FALSE(w.index.take(2));
  w.put(1, "one.test", kNow + 1h);
  CHECK(w.index.size() == 1);
  w.index.leave(*w.sites.front());
  CHECK(w.index.next() == kNow + 1h);
}

TEST_CASE("a removed entry is not begun, and an empty site is forgotten") {
  World w;
  w.put(1, "one.test");
  w.put(2, "one.test");
  w.index.remove(1);
  CHECK(w.begin_all() == std::vector<store::QueueId>{2});
  w.index.remove(2);
  CHECK(w.index.finish(2, std::nullopt));
  w.index.leave(*w.sites.front());
  CHECK(w.index.size() == 0);
  CHECK_FALSE(w.index.next());
}

TEST_CASE("a message's own attempts come in growing intervals, the last one again and again") {
  World w;
  for (auto [attempts, wait] : {std::pair(1, 60s), std::pair(2, 600s), std::pair(30, 600s)}) {
    auto at = w.index.retry_at(static_cast<std::uint32_t>(attempts), kNow);
    CHECK(at >= kNow + wait * 9 / 10);
    CHECK(at <= kNow + wait * 11 / 10);
  }
}

TEST_CASE("what has waited its whole time is named while its host is down") {
  World w;
  w.put(1, "one.test", kNow, kNow - 25h);
  w.put(2, "one.test", kNow, kNow - 1h);
  w.put(3, "one.test", kNow - 1s);
  auto begun = w.index.enter(kNow);
  REQUIRE(begun);
  CHECK(w.index.expired(*begun->site, kNow) == std::vector<store::QueueId>{1});
  CHECK(w.index.take(1));
  CHECK_FALSE(w.index.take(1));
}

TEST_CASE("after a reload what waits finds its new route") {
  World w;
  w.put(1, "one.test");
  w.put(2, "one.test");
  auto begun = w.index.enter(kNow);
  REQUIRE(begun);
  auto changed = config_with({{"one.test", "smtp://10.0.0.9"}});
  w.routes.configure(changed);
  w.index.configure(World::settings());
  auto next = w.index.enter(kNow);
  REQUIRE(next);
  CHECK(next->site->route->hosts.front().name == "10.0.0.9");
  // The one under way ends on the old one, and comes back to the new.
  w.index.finish(begun->id, kNow);
  w.index.leave(*begun->site);
  w.index.finish(next->id, std::nullopt);
  auto again = w.index.take(*next->site, kNow);
  CHECK(again == begun->id);
}

TEST_CASE("a clock that was set back makes nothing wait longer than the schedule") {
  World w;
  w.put(1, "one.test", kNow + 1h);
  w.index.clamp(kNow - 24h);
  CHECK(w.index.next() == kNow - 24h + 10min);
}

TEST_CASE("what has waited for long is named once, the oldest first, and what is being sent when it waits again") {
  World w;
  auto settings = World::settings();
  settings.delay_notice = 1h;
  w.index.configure(settings);
  for (store::QueueId id = 1; id <= 4; ++id) w.put(id, "one.test", kNow, kNow);
  w.put(5, "one.test", kNow + 30min, kNow + 30min);
  CHECK(w.index.late(kNow + 59min, 10).empty());
  REQUIRE(w.index.take(2));
  CHECK(w.index.late(kNow + 61min, 2) == std::vector<store::QueueId>{1, 3});
  CHECK(w.index.late(kNow + 61min, 2) == std::vector<store::QueueId>{4});
  CHECK(w.index.late(kNow + 61min, 2).empty());
  w.index.finish(2, kNow + 70min);
  CHECK(w.index.late(kNow + 61min, 2) == std::vector<store::QueueId>{2});
  w.index.name_again(3);
  CHECK(w.index.late(kNow + 61min, 2) == std::vector<store::QueueId>{3});
  // A change of its times is no new wait; one that was held comes back with its old time.
  w.put(4, "one.test", kNow, kNow);
  w.index.remove(1);
  w.put(1, "one.test", kNow, kNow);
  CHECK(w.index.late(kNow + 61min, 2) == std::vector<store::QueueId>{1});
  CHECK(w.index.late(kNow + 91min, 2) == std::vector<store::QueueId>{5});
}

TEST_CASE("a message that is put off day after day is tried all the time that it has, never rarer than the schedule says") {
  World w;
  auto settings = config::Queue();   // as shipped
  w.index.configure(settings);
  auto now = kNow;
  std::uint32_t attempts = 0;
  while (!w.index.is_expired(kNow, now)) {
    auto next = w.index.retry_at(++attempts, now);
    CHECK(next > now);
    CHECK(next - now <= 4h + 24min);
    now = next;
  }
  CHECK(now - kNow >= 5 * 24h);
  CHECK(now - kNow < 5 * 24h + 5h);
  CHECK(attempts > 30);
}

TEST_CASE("a clock that was ahead for a while keeps nobody from being named") {
  World w;
  auto settings = World::settings();
  settings.delay_notice = 1h;
  w.index.configure(settings);
  w.put(1, "one.test", kNow, kNow + 48h);   // came while it was ahead
  w.put(2, "one.test", kNow, kNow);
  CHECK(w.index.late(kNow + 2h, 10) == std::vector<store::QueueId>{2});
  settings.delay_notice = 0ms;
  w.index.configure(settings);
  w.put(3, "one.test", kNow, kNow);
  CHECK(w.index.late(kNow + 2h, 10).empty());
}

TEST_CASE("a hundred thousand entries for one dead host are looked at once, and others begin meanwhile") {
  World w;
  for (store::QueueId id = 1; id <= 100'000; ++id) w.put(id, "one.test", kNow, kNow);
  auto begun = w.begin_all();
  for (auto* site : w.sites) w.index.is_down(*site, kNow, "nobody there");
  for (std::size_t i = 0; i < begun.size(); ++i) {
    w.index.finish(begun[i], kNow);
    w.index.leave(*w.sites[i]);
  }
  w.sites.clear();
  CHECK(w.begin_all(kNow + 1s).empty());
  w.put(200'000, "two.test", kNow, kNow);
  CHECK(w.begin_all(kNow + 1s) == std::vector<store::QueueId>{200'000});
  CHECK(w.index.late(kNow + 5h, 200'000).size() == 100'000);   // but the one that is being sent
  CHECK(w.index.late(kNow + 5h, 200'000).empty());
}
