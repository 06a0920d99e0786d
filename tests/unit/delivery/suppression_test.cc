// Which addresses elsewhere are dead, and when they live again.
#include "gateway/delivery/suppression.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using delivery::Suppression;
using delivery::Suppressions;

namespace {

struct World {
  Suppressions table;
  Time now = from_unix(1'795'492'742);
  std::map<std::string, std::string> rows;   // as the store has them
  config::Abuse settings;
  int messages = 0;

  World() { table.configure(settings); }
  void commit(const Suppressions::Rows& changes) {
    for (const auto& row : changes) {
      if (row.value) rows[row.key] = *row.value;
      else rows.erase(row.key);
    }
  }
  bool bounce(const std::string& address, bool late = false, std::string message = "", store::AccountId account = 1) {
    Suppressions::Rows changes;
    if (message.empty()) message = "M" + std::to_string(++messages);
    bool counted = table.bounced({address, message, "550 5.1.1 No such user (mx.far.example)", late, account}, now, changes);
    commit(changes);
    return counted;
  }
  void accept(const std::string& address) {
    Suppressions::Rows changes;
    table.accepted(address, now, changes);
    commit(changes);
  }
  bool dead(const std::string& address, store::AccountId account = 1) const { return table.find(account, address, now).has_value(); }
  void restart() {
    table = Suppressions();
    table.configure(settings);
    for (const auto& [key, value] : rows) CHECK(table.take({key, value}));
  }
};

}  // namespace

TEST_CASE("an address that bounces three times over a day is suppressed for everybody, and it is said why") {
  World w;
  w.bounce("Ann@Far.example");
  w.now += 12h;
  w.bounce("ann@far.example");
  CHECK_FALSE(w.dead("ann@far.example"));
  w.now += 12h;
  w.bounce("ann@far.example");
  auto found = w.table.find(1, "ANN@far.example", w.now);
  REQUIRE(found);
  CHECK(found->account == 0);
  CHECK(found->cause == Suppression::Cause::bounces);
  CHECK(found->since == w.now);
  CHECK(found->until == w.now + std::chrono::hours(24 * 14));
  CHECK(found->words == "550 5.1.1 No such user (mx.far.example)");
  CHECK(found->message == "M3");
  CHECK_FALSE(w.dead("bob@far.example"));
}

TEST_CASE("however often it bounces within a day, it may be the host that is wrong") {
  World w;
  for (int i = 0; i < 30; ++i) {
    w.bounce("ann@far.example");
    w.now += 45min;
  }
  CHECK_FALSE(w.dead("ann@far.example"));
  w.now += 6h;
  w.bounce("ann@far.example");
  CHECK(w.dead("ann@far.example"));
}

TEST_CASE("a message counts once, whoever says how often that it bounced") {
  World w;
  CHECK(w.bounce("ann@far.example", false, "A"));
  w.now += 25h;
  CHECK_FALSE(w.bounce("ann@far.example", true, "A"));
  CHECK(w.bounce("ann@far.example", false, "B"));
  CHECK_FALSE(w.bounce("ann@far.example", false, "B"));
  CHECK_FALSE(w.dead("ann@far.example"));
  CHECK(w.bounce("ann@far.example", false, "C"));
  CHECK(w.dead("ann@far.example"));
}

TEST_CASE("that a host takes a message clears what it refused before") {
  World w;
  for (int i = 0; i < 2; ++i) {
    w.bounce("ann@far.example");
    w.now += 25h;
  }
  w.accept("ANN@far.example");
  CHECK(w.rows.empty());
  w.bounce("ann@far.example");
  CHECK_FALSE(w.dead("ann@far.example"));
  for (int i = 0; i < 2; ++i) {
    w.now += 25h;
    w.bounce("ann@far.example");
  }
  REQUIRE(w.dead("ann@far.example"));
  w.accept("ann@far.example");   // of a server of ours
  CHECK_FALSE(w.dead("ann@far.example"));
  CHECK(w.rows.empty());
}

TEST_CASE("a host that takes everything and returns it later does not clear its own bounces") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.accept("ann@far.example");
    w.now += 1min;
    w.bounce("ann@far.example", true);
    w.now += 25h;
  }
  CHECK(w.dead("ann@far.example"));
}

TEST_CASE("what only reports said ends the mail of whose messages came back; what our queue heard, or several users, everybody's") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.bounce("ann@far.example", true, "", 1);
    w.bounce("bob@far.example", true, "", 1);
    w.bounce("newsletter@far.example", true, "", 0);   // of a server of ours
    w.now += 13h;
  }
  CHECK(w.dead("ann@far.example", 1));
  CHECK_FALSE(w.dead("ann@far.example", 2));
  CHECK_FALSE(w.dead("newsletter@far.example", 1));
  w.restart();
  w.bounce("ann@far.example", true, "", 2);
  w.bounce("bob@far.example", false, "", 1);
  CHECK(w.dead("ann@far.example", 3));
  CHECK(w.dead("bob@far.example", 3));
  CHECK(w.table.all(w.now).size() == 4);
  w.now += std::chrono::hours(24 * 13);   // the latest are in force
  CHECK(w.dead("ann@far.example", 3));
}

TEST_CASE("a message that stays for five days clears what came back before it") {
  World w;
  for (int i = 0; i < 2; ++i) {
    w.bounce("ann@far.example", true);
    w.now += 25h;
  }
  w.accept("ann@far.example");
  w.restart();
  w.now += 121h;
  w.bounce("ann@far.example", true);   // the first again
  CHECK_FALSE(w.dead("ann@far.example"));
  World early;
  for (int i = 0; i < 2; ++i) {
    early.bounce("ann@far.example", true);
    early.now += 25h;
  }
  early.accept("ann@far.example");
  early.now += 100h;
  early.bounce("ann@far.example", true);
  CHECK(early.dead("ann@far.example"));
}

TEST_CASE("after its time an address may be tried again, and the next bounce is enough") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.bounce("ann@far.example");
    w.now += 13h;
  }
  REQUIRE(w.dead("ann@far.example"));
  w.now += std::chrono::hours(24 * 14);
  CHECK_FALSE(w.dead("ann@far.example"));
  CHECK(w.table.all(w.now).empty());
  w.bounce("ann@far.example");
  CHECK(w.dead("ann@far.example"));
  w.now += std::chrono::hours(24 * 31);   // all that is forgotten
  w.bounce("ann@far.example");
  CHECK_FALSE(w.dead("ann@far.example"));
}

TEST_CASE("0 suppresses nobody, 1 at once, and without a time until it is lifted") {
  World never;
  never.settings.suppress_after = 0;
  never.restart();
  for (int i = 0; i < 10; ++i) {
    never.bounce("ann@far.example");
    never.now += 25h;
  }
  CHECK_FALSE(never.dead("ann@far.example"));
  World once;
  once.settings.suppress_after = 1;
  once.settings.suppress_for = 0ms;
  once.restart();
  once.bounce("ann@far.example");
  once.now += std::chrono::hours(24 * 365);
  CHECK(once.dead("ann@far.example"));
}

TEST_CASE("a complaint ends what one user sends to one reader") {
  World w;
  Suppressions::Rows rows;
  CHECK(w.table.complained(1, "Ann@far.example", "A", "he reported a message as abuse", w.now, rows));
  CHECK_FALSE(w.table.complained(1, "ann@far.example", "A", "he reported a message as abuse", w.now, rows));
  w.commit(rows);
  CHECK(w.dead("ann@far.example", 1));
  CHECK_FALSE(w.dead("ann@far.example", 2));
  w.accept("ann@far.example");
  w.now += std::chrono::hours(24 * 365);
  CHECK(w.dead("ann@far.example", 1));
}

TEST_CASE("an administrator adds and lifts, for one and for all") {
  World w;
  Suppressions::Rows rows;
  Suppression made;
  made.address = "Ann@far.example";
  made.since = w.now;
  made.until = w.now + 24h;
  made.words = "a competitor";
  w.table.add(made, rows);
  made.account = 7;
  made.until = Time{};
  w.table.add(made, rows);
  w.table.complained(8, "ann@far.example", "A", "x", w.now, rows);
  w.commit(rows);
  CHECK(w.table.all(w.now).size() == 3);
  w.accept("ann@far.example");   // clears no word of his
  CHECK(w.dead("ann@far.example"));
  w.now += 25h;
  CHECK_FALSE(w.dead("ann@far.example"));
  CHECK(w.dead("ann@far.example", 7));
  rows.clear();
  CHECK(w.table.lift("ANN@far.example", 7, w.now, rows) == 1);
  CHECK_FALSE(w.dead("ann@far.example", 7));
  w.bounce("ann@far.example");
  CHECK(w.table.lift("ann@far.example", std::nullopt, w.now, rows) == 1);   // the one that is over is not counted
  w.commit(rows);
  CHECK(w.rows.empty());
  CHECK(w.table.lift("ann@far.example", std::nullopt, w.now, rows) == 0);
}

TEST_CASE("all of it outlives the program, and damaged rows are told apart") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.bounce("ann@far.example");
    w.bounce("bob@far.example", true);
    w.now += 13h;
  }
  w.bounce("cid@far.example");
  w.restart();
  CHECK(w.dead("ann@far.example"));
  CHECK(w.dead("bob@far.example"));
  w.now += 30h;
  w.bounce("cid@far.example");
  w.bounce("cid@far.example");
  CHECK(w.dead("cid@far.example"));
  for (auto [key, value] : w.rows) {
    for (std::size_t cut = 0; cut < value.size(); ++cut) CHECK_FALSE(w.table.take({key, value.substr(0, cut)}));
    CHECK_FALSE(w.table.take({key, value + "x"}));
  }
  auto good = w.rows.at("suppressed:0:ann@far.example");
  for (std::string key : {"suppressed:", "suppressed:0", "suppressed:0:", "suppressed:x:ann@far.example", "bounced:"}) CHECK_FALSE(w.table.take({key, good}));
}

TEST_CASE("what is over is swept, and the number of addresses is bounded") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.bounce("ann@far.example");
    w.now += 13h;
  }
  w.now += std::chrono::hours(24 * 31);
  Suppressions::Rows rows;
  w.table.sweep(w.now, rows);
  w.commit(rows);
  CHECK(w.rows.empty());
  for (std::size_t i = 0; i < Suppressions::kMostHistories + 10; ++i) {
    w.now += 1s;
    rows.clear();
    w.table.bounced({"u" + std::to_string(i) + "@far.example", "M", "no", false, 1}, w.now, rows);
  }
  CHECK_FALSE(w.table.remembers("u0@far.example"));
  CHECK(w.table.remembers("u50000@far.example"));
  CHECK(w.table.remembers("u" + std::to_string(Suppressions::kMostHistories + 9) + "@far.example"));
  CHECK_FALSE(w.bounce(std::string(500, 'x') + "@far.example"));
}

TEST_CASE("a clock that is set back breaks no order") {
  World w;
  w.bounce("ann@far.example");
  w.now -= 48h;
  w.bounce("ann@far.example");
  w.bounce("ann@far.example");
  CHECK_FALSE(w.dead("ann@far.example"));
  w.restart();
  w.now += 80h;
  w.bounce("ann@far.example");
  CHECK(w.dead("ann@far.example"));
}
