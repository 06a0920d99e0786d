// From waiting to ended: what DNS and time make of keys.
#include "gateway/signing/life.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::signing;
using namespace std::chrono_literals;
using Kind = Sight::Kind;

namespace {

const Time kNow = from_unix(1'795'492'742);

// No private key is looked at here.
Key key(const char* selector, State state, Algorithm algorithm = Algorithm::rsa, Time since = kNow) {
  Key out;
  out.domain = "corp.example";
  out.selector = selector;
  out.state = state;
  out.algorithm = algorithm;
  out.created = out.since = since;
  out.public_text = "AAAA";
  return out;
}

Sight sight(Kind kind, const char* words = "") {
  Sight out;
  out.kind = kind;
  out.words = words;
  return out;
}

const Key* of(const Keys& keys, std::string_view selector) {
  for (const auto& each : keys) {
    if (each.selector == selector) return &each;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a key signs once its record is right, and not before") {
  Keys all{key("a", State::waiting)};
  for (auto kind : {Kind::absent, Kind::different, Kind::unknown}) {
    auto changes = after_look(all, all[0], sight(kind, "the record holds another key"), kNow);
    REQUIRE(changes.put.size() == 1);
    CHECK(changes.put[0].state == State::waiting);
    CHECK_FALSE(changes.put[0].problem.empty());
    CHECK(changes.notes.empty());
  }
  auto changes = after_look(all, all[0], sight(Kind::right), kNow + 1h);
  REQUIRE(changes.put.size() == 1);
  CHECK(changes.put[0].state == State::active);
  CHECK(changes.put[0].since == kNow + 1h);
  CHECK(changes.put[0].seen == kNow + 1h);
  CHECK(changes.notes.empty());   // the first one: whoever made it waits for it
}

TEST_CASE("the same look twice changes nothing") {
  Keys all{key("a", State::waiting)};
  all[0].problem = "there is no record at a._domainkey.corp.example";
  CHECK(after_look(all, all[0], sight(Kind::absent), kNow).empty());
  all[0].state = State::active;
  all[0].problem.clear();
  all[0].seen = kNow;
  CHECK(after_look(all, all[0], sight(Kind::right), kNow + 1h).empty());
  CHECK_FALSE(after_look(all, all[0], sight(Kind::right), kNow + 25h).empty());   // says when it was seen last
}

TEST_CASE("a new key retires the one of its algorithm and its domain, and the postmaster is told to keep the old record") {
  Keys all{key("new", State::waiting), key("old", State::active), key("ed", State::active, Algorithm::ed25519)};
  all.push_back(key("theirs", State::active));
  all.back().domain = "other.example";
  auto changes = after_look(all, all[0], sight(Kind::right), kNow);
  REQUIRE(changes.put.size() == 2);
  CHECK(of(changes.put, "new")->state == State::active);
  CHECK(of(changes.put, "old")->state == State::retired);
  CHECK(of(changes.put, "old")->since == kNow);
  REQUIRE(changes.notes.size() == 1);
  CHECK(changes.notes[0].text.find("old._domainkey.corp.example") != std::string::npos);
}

TEST_CASE("an active key whose record is lost goes on signing, and the postmaster hears of it once a week") {
  Keys all{key("a", State::active)};
  auto changes = after_look(all, all[0], sight(Kind::absent), kNow);
  REQUIRE(changes.put.size() == 1);
  CHECK(changes.put[0].state == State::active);
  CHECK(changes.put[0].problem.find("no record") != std::string::npos);
  REQUIRE(changes.notes.size() == 1);
  all = changes.put;
  CHECK(after_look(all, all[0], sight(Kind::absent), kNow + 1h).notes.empty());
  CHECK(after_look(all, all[0], sight(Kind::absent), kNow + 24h * 8).notes.size() == 1);
  auto back = after_look(all, all[0], sight(Kind::right), kNow + 2h);
  REQUIRE(back.put.size() == 1);
  CHECK(back.put[0].problem.empty());
}

TEST_CASE("a resolver that does not answer says nothing of a record that was right") {
  Keys all{key("a", State::active)};
  CHECK(after_look(all, all[0], sight(Kind::unknown, "DNS gave no answer"), kNow).empty());
}

TEST_CASE("what the operator forces signs, and nobody is told that its record is missing") {
  Keys all{key("a", State::waiting), key("old", State::active)};
  auto changes = forced(all, all[0], kNow);
  CHECK(of(changes.put, "a")->state == State::active);
  CHECK(of(changes.put, "a")->forced);
  CHECK(of(changes.put, "old")->state == State::retired);
  Keys now{*of(changes.put, "a")};
  CHECK(after_look(now, now[0], sight(Kind::absent), kNow).notes.empty());
}

TEST_CASE("a retired key ends after the overlap: its private part goes, and the postmaster is told that its record can go") {
  config::Dkim settings;
  settings.overlap = 24h * 7;
  Keys all{key("old", State::retired)};
  all[0].secret = std::make_shared<const PrivateKey>(std::move(PrivateKey::generate(Algorithm::ed25519).value()));
  CHECK(after_time(all, settings, kNow + 24h * 7 - 1s).empty());
  auto changes = after_time(all, settings, kNow + 24h * 7);
  REQUIRE(changes.put.size() == 1);
  CHECK(changes.put[0].state == State::ended);
  CHECK(changes.put[0].secret == nullptr);
  REQUIRE(changes.notes.size() == 1);
  CHECK(changes.notes[0].subject.find("can go") != std::string::npos);
  all = changes.put;
  CHECK(after_look(all, all[0], sight(Kind::right), kNow).empty());   // still there: it stays in the list
  auto gone = after_look(all, all[0], sight(Kind::absent), kNow);
  CHECK(gone.put.empty());
  CHECK(gone.erase.size() == 1);
}

TEST_CASE("a key that waits for long is told of again, once a week") {
  config::Dkim settings;
  Keys all{key("a", State::waiting)};
  CHECK(after_time(all, settings, kNow + 24h * 6).empty());
  auto changes = after_time(all, settings, kNow + 24h * 8);
  REQUIRE(changes.notes.size() == 1);
  CHECK(changes.notes[0].text.find("v=DKIM1; k=rsa; p=AAAA") != std::string::npos);
  CHECK(after_time(changes.put, settings, kNow + 24h * 9).empty());
}

TEST_CASE("rotation is due by age, for active keys that have no successor yet") {
  config::Dkim settings;
  Keys all{key("rsa", State::active), key("ed", State::active, Algorithm::ed25519), key("old", State::retired)};
  CHECK(due_for_rotation(all, settings, kNow + 24h * 1000).empty());   // off
  settings.rotate = 24h * 180;
  CHECK(due_for_rotation(all, settings, kNow + 24h * 179).empty());
  CHECK(due_for_rotation(all, settings, kNow + 24h * 180).size() == 2);
  all.push_back(key("next", State::waiting));
  auto due = due_for_rotation(all, settings, kNow + 24h * 180);
  REQUIRE(due.size() == 1);
  CHECK(due[0].selector == "ed");
}

TEST_CASE("new keys are called by the date, with a letter where that is taken") {
  Keys all;
  CHECK(free_selector(all, "corp.example", "", Algorithm::rsa, kNow) == "20261124-rsa");
  all.push_back(key("20261124-rsa", State::active));
  CHECK(free_selector(all, "corp.example", "", Algorithm::rsa, kNow) == "20261124b-rsa");
  CHECK(free_selector(all, "other.example", "", Algorithm::rsa, kNow) == "20261124-rsa");
  CHECK(free_selector(all, "corp.example", "mail", Algorithm::ed25519, kNow) == "mail-ed25519");
}
