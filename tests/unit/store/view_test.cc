// Views against a plain model, and watches on their loops.
#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "gateway/store/view.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;
using namespace std::chrono_literals;

namespace {

struct Model {
  MailboxState state;
  std::map<Uid, Entry> entries;
  std::vector<std::pair<ModSeq, Uid>> gone;

  Entry add() {
    Entry entry;
    entry.uid = state.info.uidnext++;
    entry.modseq = ++state.info.highestmodseq;
    entry.size = entry.uid * 10;
    entries[entry.uid] = entry;
    return entry;
  }
};

void agree(const View& view, const Model& model) {
  REQUIRE(view.size() == model.entries.size());
  std::size_t index = 0;
  for (const auto& [uid, entry] : model.entries) {
    const auto& seen = view.at(index);
    if (seen.uid != uid || seen.modseq != entry.modseq || seen.flags != entry.flags) FAIL("entry " << uid << " differs");
    if (view.find(uid) != index) FAIL("uid " << uid << " is not found");
    ++index;
  }
}

MailboxEvents random_events(Model& model, std::mt19937& random) {
  MailboxEvents events;
  auto steps = 1 + random() % 5;
  for (unsigned i = 0; i < steps; ++i) {
    auto kind = random() % 10;
    if (kind < 5 || model.entries.empty()) {
      events.events.push_back({MailboxEvent::Kind::added, model.add(), 0, {}});
    } else if (kind < 8) {
      auto which = std::next(model.entries.begin(), static_cast<std::ptrdiff_t>(random() % model.entries.size()));
      which->second.flags ^= flag::seen;
      which->second.modseq = ++model.state.info.highestmodseq;
      events.events.push_back({MailboxEvent::Kind::changed, which->second, 0, {}});
    } else {
      auto modseq = ++model.state.info.highestmodseq;
      std::vector<Uid> uids;
      auto share = 2 + random() % 200;
      for (const auto& [uid, entry] : model.entries) {
        if (random() % share == 0) uids.push_back(uid);
      }
      if (uids.empty()) continue;
      for (Uid uid : uids) {
        model.entries.erase(uid);
        model.gone.emplace_back(modseq, uid);
      }
      events.events.push_back({MailboxEvent::Kind::vanished, {}, modseq, uids});
    }
  }
  events.state = model.state;
  return events;
}

}  // namespace

TEST_CASE("a view follows random events as a plain map does, and old versions stay as they were") {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    Model model;
    std::vector<Entry> first;
    for (int i = 0; i < 2000; ++i) first.push_back(model.add());
    auto view = View::make(model.state, first, {});
    agree(*view, model);
    auto old = view;
    auto old_model = model;
    for (int round = 0; round < 400; ++round) {
      auto events = random_events(model, random);
      view = view->after(events);
      if (round % 40 == 0) agree(*view, model);
    }
    agree(*view, model);
    agree(*old, old_model);
    for (ModSeq since : {ModSeq{0}, model.state.info.highestmodseq / 2, model.state.info.highestmodseq}) {
      std::vector<Uid> expected;
      for (auto [modseq, uid] : model.gone) {
        if (modseq > since) expected.push_back(uid);
      }
      std::sort(expected.begin(), expected.end());
      CHECK(view->vanished(since) == expected);
    }
  }
}

TEST_CASE("events that a view has already change nothing") {
  std::mt19937 random(9);
  Model model;
  auto start = View::make(model.state, {}, {});
  std::vector<MailboxEvents> all;
  for (int i = 0; i < 200; ++i) all.push_back(random_events(model, random));
  auto view = start;
  for (const auto& events : all) view = view->after(events);
  std::vector<Entry> entries;
  for (const auto& [uid, entry] : model.entries) entries.push_back(entry);
  auto loaded = View::make(model.state, entries, {});
  for (std::size_t i = 150; i < all.size(); ++i) loaded = loaded->after(all[i]);   // loaded behind them, told of them late
  agree(*view, model);
  agree(*loaded, model);
}

TEST_CASE("what was expunged is known until it is forgotten, then a full look is asked for") {
  Model model;
  model.state.vanished_floor = 10;
  model.state.info.highestmodseq = 20;
  auto view = View::make(model.state, {}, {{15, {3, 4}}});
  CHECK(view->vanished(10) == std::vector<Uid>{3, 4});
  CHECK(view->vanished(15) == std::vector<Uid>{});
  CHECK_FALSE(view->vanished(9));
}

TEST_CASE("the log of expunges answers as a plain list does, and copies of it stay as they were") {
  for (std::size_t loaded : {std::size_t{0}, std::size_t{1}, std::size_t{256}, std::size_t{1000}}) {
    std::vector<Gone> all;
    auto next = [&all] {
      auto modseq = all.empty() ? ModSeq{3} : all.back().modseq + 2;
      return Gone{modseq, {static_cast<Uid>(modseq * 10), static_cast<Uid>(modseq * 10 + 1)}};
    };
    while (all.size() < loaded) all.push_back(next());
    GoneLog log(all);
    auto old = log;
    for (int i = 0; i < 600; ++i) {
      all.push_back(next());
      log.append(all.back());
      log.append({all.back().modseq, {1}});   // known already
    }
    auto floor = all[all.size() / 2].modseq;
    auto whole = log;
    log.forget(floor);
    for (ModSeq since : {ModSeq{0}, floor - 2, floor, floor + 1, all.back().modseq - 2, all.back().modseq}) {
      std::vector<Uid> expected;
      for (const auto& gone : all) {
        if (gone.modseq > since) expected.insert(expected.end(), gone.uids.begin(), gone.uids.end());
      }
      CHECK(whole.after(since) == expected);
      if (since >= floor) CHECK(log.after(since) == expected);
    }
    CHECK(log.after(0).size() < whole.after(0).size());
    CHECK(old.after(0).size() == 2 * loaded);
    log.forget(all.back().modseq);
    CHECK(log.after(0).empty());
  }
}

namespace {
// `change` begins on the loop: its notice comes on a later turn, when somebody waits.
io::Task<bool> woken(MailboxWatch& watch, std::function<void()> change) {
  change();
  bool yes = co_await watch.changed().wait(in(5s));
  co_return yes;
}
}  // namespace

TEST_CASE("a watch sees deliveries, flags, expunges and the end of its mailbox") {
  Fixture f;
  Uid one = f.put("box", "1");
  auto id = f.box("box").id;
  auto watch = f.watch(id);
  REQUIRE(watch);
  REQUIRE(watch->latest()->size() == 1);
  CHECK(watch->latest()->at(0).uid == one);
  auto before = watch->latest();

  f.put("box", "22");
  CHECK(watch->latest()->size() == 2);
  CHECK(watch->latest()->info().messages == 2);
  CHECK(before->size() == 1);

  Flags flags;
  flags.keywords = {"work"};
  f.run(f.store->change_flags(id, {one}, FlagOperation::add, flags, {}));
  CHECK(watch->latest()->at(0).keywords == 1);
  CHECK(watch->latest()->keywords() == std::vector<std::string>{"work"});

  auto since = watch->latest()->info().highestmodseq;
  f.run(f.store->erase(id, {one}));
  CHECK(watch->latest()->size() == 1);
  CHECK(watch->latest()->vanished(since) == std::vector<Uid>{one});
  f.reopen();
  auto again = f.watch(id);
  CHECK(again->latest()->vanished(since) == std::vector<Uid>{one});
  CHECK(again->latest()->at(0).uid == 2);

  f.run(f.store->remove_mailbox(f.account, "box"));
  CHECK(again->latest() == nullptr);
  CHECK_FALSE(f.watch(id));
}

TEST_CASE("a watch is woken on its own loop by a change of another") {
  Fixture f;
  auto id = f.box("INBOX").id;
  auto watch = f.watch(id);
  std::thread other;
  auto deliver = [&] {
    io::Loop theirs;
    Delivery delivery;
    delivery.items.push_back(item_of("x", {f.to("INBOX")}));
    theirs.block_on(f.store->deliver(std::move(delivery)));
  };
  bool yes = f.run(woken(*watch, [&] { other = std::thread(deliver); }));
  other.join();
  CHECK(yes);
  CHECK(watch->latest()->size() == 1);
}

TEST_CASE("a watch may die while a notice for it is on its way, and outlive the store") {
  Fixture f;
  auto id = f.box("INBOX").id;
  auto one = f.watch(id);
  auto two = f.watch(id);
  std::thread other([&] {
    io::Loop theirs;
    Delivery delivery;
    delivery.items.push_back(item_of("x", {f.to("INBOX")}));
    theirs.block_on(f.store->deliver(std::move(delivery)));
  });
  other.join();   // the notices lie in this loop's queue
  one.reset();
  f.put("INBOX", "y");
  f.store.reset();
  CHECK(two->latest()->size() == 2);
  two.reset();
  f.open();
  CHECK(f.box("INBOX").messages == 2);
}

TEST_CASE("a view loaded while commits go on misses nothing") {
  Fixture f;
  auto id = f.box("INBOX").id;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    io::Loop theirs;
    for (int i = 0; i < 300 && !stop; ++i) {
      Delivery delivery;
      delivery.items.push_back(item_of("x", {f.to("INBOX"), f.to("INBOX")}));
      theirs.block_on(f.store->deliver(std::move(delivery)));
      if (i % 7 == 0) theirs.block_on(f.store->erase(id, {static_cast<Uid>(i + 1)}));
    }
    stop = true;
  });
  while (!stop) {
    auto watch = f.watch(id);
    auto view = watch->latest();
    CHECK(view->size() == view->info().messages);
  }
  writer.join();
  auto watch = f.watch(id);
  CHECK(watch->latest()->size() == f.uids(id).size());
  f.check();
}
