// What leaves the quarantines by age and by size.
#include "gateway/admin/retention.h"

#include "gateway/delivery/originals.h"
#include "gateway/store/names.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace std::chrono_literals;
using store::SpecialUse;
using store::Uid;

namespace {

struct World : store::test::Fixture {
  using store::test::Fixture::Fixture;
  Time now = Clock::system().now();
  config::Quarantine keep;

  store::MailboxId quarantine() { return store->mailbox(account, SpecialUse::quarantine)->id; }
  // A held message; class "": an ordinary one.
  void hold(std::string message_class, std::chrono::hours age, std::string text = "text", std::string into = "") {
    store::Target target;
    target.account = account;
    target.mailbox = into;
    if (into.empty()) target.use = SpecialUse::quarantine;
    if (!message_class.empty()) {
      target.held.emplace();
      target.held->message_class = std::move(message_class);
    }
    auto item = store::test::item_of(std::move(text), {target});
    item.internal_date = now - age;
    REQUIRE(deliver(std::move(item)).ok());
  }
  admin::Expired expire() {
    auto done = run(admin::expire_held(*store, keep, now));
    REQUIRE(done);
    return *done;
  }
  std::uint64_t left() { return store->mailbox(quarantine())->messages; }
};

}  // namespace

TEST_CASE("each class is kept for its own time, and what a user put there himself for ever") {
  World w;
  w.keep.keep_virus = std::chrono::hours(90 * 24);
  w.keep.keep_undeliverable = 0ms;
  for (auto age : {1000 * 24h, 91 * 24h, 31 * 24h, 1h}) {
    for (auto message_class : {"spam", "policy", "virus", "undeliverable", ""}) w.hold(message_class, age);
  }
  auto expired = w.expire();
  CHECK(expired.messages == 3 + 3 + 2);
  CHECK(expired.octets == 8 * 4);
  CHECK(w.left() == 20 - 8);
  CHECK(w.expire().messages == 0);
  w.check();
}

TEST_CASE("of who holds too much the oldest go, and no more than needed") {
  World w;
  w.keep.max_octets = 3500;
  for (int i = 0; i < 6; ++i) w.hold("spam", std::chrono::hours(60 - i), std::string(1000, 'x'));
  auto expired = w.expire();
  CHECK(expired.messages == 3);
  CHECK(w.uids(w.quarantine()) == std::vector<Uid>{4, 5, 6});
}

TEST_CASE("what was kept by Always block goes as well, and other folders are left alone") {
  World w;
  w.hold("spam", 40 * 24h, "text", std::string(store::kAlwaysBlock));
  w.hold("spam", 40 * 24h, "text", "Trash");
  CHECK(w.expire().messages == 1);
  CHECK(w.store->mailbox(w.account, store::kAlwaysBlock)->messages == 0);
  CHECK(w.store->mailbox(w.account, SpecialUse::trash)->messages == 1);
}

TEST_CASE("originals of class virus go by the same time") {
  World w;
  store::Account ours;
  ours.address = delivery::kOriginalsAccount;
  REQUIRE(w.run(w.store->create_account(ours)).ok());
  auto user = w.account;
  w.account = w.store->account(delivery::kOriginalsAccount)->id;
  w.hold("virus", 31 * 24h, "original", delivery::originals_folder("a@example.test"));
  w.hold("virus", 1h, "original", delivery::originals_folder("a@example.test"));
  w.account = user;
  CHECK(w.expire().messages == 1);
}

TEST_CASE("many go in small changes") {
  World w;
  std::vector<store::Target> targets(700);
  for (auto& target : targets) {
    target.account = w.account;
    target.use = SpecialUse::quarantine;
    target.held.emplace();
    target.held->message_class = "spam";
  }
  auto item = store::test::item_of("spam", std::move(targets));
  item.internal_date = w.now - 31 * 24h;
  REQUIRE(w.deliver(std::move(item)).ok());
  auto before = w.store->state().changes;
  CHECK(w.expire().messages == 700);
  CHECK(w.store->state().changes - before == 15);
  CHECK(w.left() == 0);
  w.check();
}

TEST_CASE("without a limit nothing goes") {
  World w;
  w.keep.keep = 0ms;
  w.keep.max_octets = 0;
  w.hold("spam", 10'000 * 24h);
  CHECK(w.expire().messages == 0);
}

TEST_CASE("a quarantine that cannot be read is an error, and nothing is lost") {
  store::test::Plan plan;
  store::test::FailingFiles files(plan);
  World w(store::test::failing_ground(files, plan));
  w.hold("spam", 40 * 24h);
  plan.bad_rows = 'm';
  CHECK_FALSE(w.run(admin::expire_held(*w.store, w.keep, w.now)));
  plan.bad_rows = '\0';
  CHECK(w.expire().messages == 1);
}
