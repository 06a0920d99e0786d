// The selected mailbox: numbers stay until EXPUNGE may be told.  RFC 3501 7.4.1.
#include "gateway/imap/selected.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::imap;

namespace {

struct FakeView : store::MailboxView {
  store::MailboxInfo information;
  std::vector<store::Entry> entries;
  std::vector<std::string> names;
  const store::MailboxInfo& info() const override { return information; }
  std::size_t size() const override { return entries.size(); }
  const store::Entry& at(std::size_t index) const override { return entries[index]; }
  std::optional<std::size_t> find(store::Uid) const override { return std::nullopt; }
  const std::vector<std::string>& keywords() const override { return names; }
  std::optional<std::vector<store::Uid>> vanished(store::ModSeq) const override { return std::nullopt; }
};

std::shared_ptr<FakeView> view_of(std::vector<std::pair<store::Uid, std::uint8_t>> messages) {
  auto view = std::make_shared<FakeView>();
  view->information.id = 1;
  for (auto [uid, flags] : messages) {
    store::Entry entry;
    entry.uid = uid;
    entry.flags = flags;
    entry.internal_date = 1000;
    view->entries.push_back(entry);
  }
  return view;
}

struct World {
  io::Loop loop;
  std::shared_ptr<const store::MailboxView> newest;
  io::Signal signal;
  Recent recent{from_unix(0)};
  struct Watch : store::MailboxWatch {
    explicit Watch(World& w) : world(w) {}
    std::shared_ptr<const store::MailboxView> latest() const override { return world.newest; }
    io::Signal& changed() override { return world.signal; }
    World& world;
  };
  explicit World(std::shared_ptr<const store::MailboxView> first) : newest(std::move(first)) {}
  Selected select(bool read_only = false) { return Selected(std::make_unique<Watch>(*this), newest, read_only, recent); }
};

std::vector<store::Uid> found(const Selected& selected, std::string_view set, bool uid) {
  return selected.uids(selected.find_lenient(*SequenceSet::parse(set), uid));
}

}  // namespace

TEST_CASE("numbers stay while EXPUNGE may not be told, and change when it is") {
  World world(view_of({{1, 0}, {3, 0}, {5, 0}, {7, 0}}));
  auto selected = world.select();
  world.newest = view_of({{1, 0}, {7, 1}, {9, 0}});
  REQUIRE(selected.is_stale());
  auto changes = selected.advance(false, {});
  CHECK(changes.expunged.empty());
  CHECK(changes.grown);
  REQUIRE(changes.changed.size() == 1);
  CHECK(selected.sequence_at(changes.changed[0]) == 4);
  CHECK(selected.exists() == 5);
  CHECK(found(selected, "1:*", false) == std::vector<store::Uid>{1, 7, 9});
  CHECK(found(selected, "2:4", false) == std::vector<store::Uid>{7});
  CHECK(found(selected, "5", false) == std::vector<store::Uid>{9});
  CHECK(selected.find(*SequenceSet::parse("2"), false)->some_are_gone);
  CHECK_FALSE(selected.find(*SequenceSet::parse("4:5"), false)->some_are_gone);
  CHECK_FALSE(selected.find(*SequenceSet::parse("6"), false));
  CHECK(selected.is_stale());

  changes = selected.advance(true, {});
  CHECK(changes.expunged == std::vector<std::uint32_t>{3, 2});
  CHECK(selected.exists() == 3);
  CHECK(found(selected, "2", false) == std::vector<store::Uid>{7});
  CHECK_FALSE(selected.is_stale());
}

TEST_CASE("uid sets find what is there and * is the last message") {
  World world(view_of({{2, 0}, {4, 0}, {6, 0}}));
  auto selected = world.select();
  CHECK(found(selected, "1:5", true) == std::vector<store::Uid>{2, 4});
  CHECK(found(selected, "100:*", true) == std::vector<store::Uid>{6});
  CHECK(found(selected, "3,5", true).empty());
  CHECK(found(selected, "1:4294967295", true).size() == 3);
  World empty(view_of({}));
  auto none = empty.select();
  CHECK(found(none, "*", true).empty());
  CHECK_FALSE(none.find(*SequenceSet::parse("1:*"), false));
}

TEST_CASE("flags that the client knows are not told again") {
  World world(view_of({{1, 0}, {2, 0}}));
  auto selected = world.select();
  selected.believes(1, 1, 0);
  selected.believes(2, 1, 0);
  world.newest = view_of({{1, 1}, {2, 5}});   // somebody else added a flag to the second
  auto changes = selected.advance(true, {});
  REQUIRE(changes.changed == std::vector<std::uint32_t>{1});
  world.newest = view_of({{1, 1}, {2, 5}});
  CHECK(selected.advance(true, {}).empty());
  CHECK(selected.advance(true, {1}).changed == std::vector<std::uint32_t>{0});
}

TEST_CASE("a message is recent for the first session that is told of it") {
  World world(view_of({{1, 0}, {2, 0}}));
  auto watching = world.select(true);
  CHECK(watching.recent() == 2);
  auto first = world.select();
  CHECK(first.recent() == 2);
  auto second = world.select();
  CHECK(second.recent() == 0);
  world.newest = view_of({{1, 0}, {2, 0}, {3, 0}});
  second.advance(true, {});
  first.advance(true, {});
  CHECK(second.is_recent(3));
  CHECK_FALSE(first.is_recent(3));
  world.newest = view_of({{2, 0}, {3, 0}});
  second.advance(true, {});
  CHECK(second.recent() == 1);
  CHECK(world.recent.count(*world.newest) == 0);
}

TEST_CASE("what was there before the program started is not recent") {
  World world(view_of({{1, 0}, {2, 0}}));
  Recent late(from_unix(2000));
  Selected selected(std::make_unique<World::Watch>(world), world.newest, false, late);
  CHECK(selected.recent() == 0);
}

TEST_CASE("a mailbox that is removed at any moment keeps its last view") {
  World world(view_of({{1, 0}}));
  auto selected = world.select();
  world.newest = nullptr;
  CHECK(selected.is_gone());
  CHECK(selected.advance(true, {}).empty());
  CHECK(selected.exists() == 1);
  CHECK(selected.latest_keywords().empty());
}

TEST_CASE("what is recent in a mailbox is forgotten with the mailbox") {
  Recent recent(from_unix(0));
  auto view = view_of({{1, 0}, {2, 0}});
  recent.first_recent(*view, true);
  CHECK(recent.count(*view) == 0);
  recent.forget(1);
  CHECK(recent.count(*view) == 2);
}
