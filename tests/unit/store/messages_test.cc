// Flags, expunge, copy, move, mailboxes: what IMAP asks.
#include <map>
#include <random>

#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {
Flags flags_of(std::uint8_t system, std::vector<std::string> keywords = {}) {
  Flags flags;
  flags.system = system;
  flags.keywords = std::move(keywords);
  return flags;
}
}  // namespace

TEST_CASE("flags are added, removed and replaced, and the mailbox counts what is unseen") {
  Fixture f;
  Uid one = f.put("INBOX", "1");
  Uid two = f.put("INBOX", "2", flag::seen);
  auto inbox = f.box("INBOX").id;
  CHECK(f.box("INBOX").unseen == 1);
  auto changed = f.run(f.store->change_flags(inbox, {one, two, 77}, FlagOperation::add, flags_of(flag::seen, {"$Work"}), {}));
  CHECK(changed.changed == std::vector<Uid>{one, two});
  CHECK(f.box("INBOX").unseen == 0);
  CHECK(f.row(inbox, one).flags.keywords == std::vector<std::string>{"$Work"});
  changed = f.run(f.store->change_flags(inbox, {one}, FlagOperation::remove, flags_of(flag::seen, {"$WORK", "unknown"}), {}));
  CHECK(f.row(inbox, one).flags.system == 0);
  CHECK(f.row(inbox, one).flags.keywords.empty());
  CHECK(f.box("INBOX").unseen == 1);
  changed = f.run(f.store->change_flags(inbox, {two}, FlagOperation::replace, flags_of(flag::deleted), {}));
  CHECK(f.row(inbox, two).flags.system == flag::deleted);
  CHECK(f.row(inbox, two).flags.keywords.empty());
  f.reopen();
  CHECK(f.row(inbox, two).flags.system == flag::deleted);
  CHECK(f.box("INBOX").unseen == 2);
  f.check();
}

TEST_CASE("a change that changes nothing raises no modseq") {
  Fixture f;
  Uid uid = f.put("INBOX", "1", flag::seen);
  auto before = f.box("INBOX").highestmodseq;
  auto changed = f.run(f.store->change_flags(f.box("INBOX").id, {uid}, FlagOperation::add, flags_of(flag::seen), {}));
  CHECK(changed.ok());
  CHECK(changed.changed.empty());
  CHECK(f.box("INBOX").highestmodseq == before);
}

TEST_CASE("UNCHANGEDSINCE refuses only what was changed since") {
  Fixture f;
  Uid one = f.put("INBOX", "1");
  Uid two = f.put("INBOX", "2");
  auto inbox = f.box("INBOX").id;
  auto since = f.box("INBOX").highestmodseq;
  f.run(f.store->change_flags(inbox, {two}, FlagOperation::add, flags_of(flag::flagged), {}));
  auto changed = f.run(f.store->change_flags(inbox, {one, two}, FlagOperation::add, flags_of(flag::seen), since));
  CHECK(changed.changed == std::vector<Uid>{one});
  CHECK(changed.modified == std::vector<Uid>{two});
  CHECK(changed.modseq == f.box("INBOX").highestmodseq);
}

TEST_CASE("the 65th keyword is refused and the first 64 stay") {
  Fixture f;
  Uid uid = f.put("INBOX", "1");
  auto inbox = f.box("INBOX").id;
  for (int i = 0; i < 64; ++i) {
    REQUIRE(f.run(f.store->change_flags(inbox, {uid}, FlagOperation::add, flags_of(0, {"k" + std::to_string(i)}), {})).ok());
  }
  CHECK(f.run(f.store->change_flags(inbox, {uid}, FlagOperation::add, flags_of(0, {"more"}), {})).outcome == Outcome::cannot);
  CHECK(f.run(f.store->change_flags(inbox, {uid}, FlagOperation::add, flags_of(0, {"K63"}), {})).ok());
  CHECK(f.row(inbox, uid).flags.keywords.size() == 64);
}

TEST_CASE("a change of flags in ten thousand messages comes in slices and whole") {
  Fixture f;
  Delivery delivery;
  Item item = item_of("same", {});
  for (int i = 0; i < 3000; ++i) item.targets.push_back(f.to("INBOX"));
  delivery.items.push_back(std::move(item));
  REQUIRE(f.run(f.store->deliver(std::move(delivery))).ok());
  auto inbox = f.box("INBOX").id;
  std::vector<Uid> all;
  for (Uid uid = 1; uid <= 3000; ++uid) all.push_back(uid);
  auto changed = f.run(f.store->change_flags(inbox, all, FlagOperation::add, flags_of(flag::deleted), {}));
  CHECK(changed.changed == all);
  auto expunged = f.run(f.store->expunge(inbox, {}));
  CHECK(expunged.uids == all);
  CHECK(f.box("INBOX").messages == 0);
  CHECK(f.box("INBOX").uidnext == 3001);
  f.check();
}

TEST_CASE("expunge takes what is marked deleted, erase whatever is named") {
  Fixture f;
  Uid one = f.put("INBOX", "1", flag::deleted);
  Uid two = f.put("INBOX", "2");
  Uid three = f.put("INBOX", "3", flag::deleted);
  auto inbox = f.box("INBOX").id;
  CHECK(f.run(f.store->expunge(inbox, std::vector<Uid>{one, two})).uids == std::vector<Uid>{one});
  CHECK(f.run(f.store->expunge(inbox, {})).uids == std::vector<Uid>{three});
  CHECK(f.run(f.store->expunge(inbox, {})).uids.empty());
  CHECK(f.uids(inbox) == std::vector<Uid>{two});
  CHECK(f.run(f.store->erase(inbox, {two, 99})).uids == std::vector<Uid>{two});
  CHECK(f.run(f.store->erase(4711, {1})).outcome == Outcome::no_mailbox);
  f.reopen();
  CHECK(f.put("INBOX", "4") == three + 1);
  f.check();
}

TEST_CASE("a copy shares the body and takes flags and keywords along") {
  Fixture f;
  Uid uid = f.put("INBOX", "body", flag::seen);
  auto inbox = f.box("INBOX").id;
  auto archive = f.box("Archive").id;
  f.put("Archive", "other");
  f.run(f.store->change_flags(archive, {1}, FlagOperation::add, flags_of(0, {"first"}), {}));
  f.run(f.store->change_flags(inbox, {uid}, FlagOperation::add, flags_of(0, {"mine"}), {}));
  auto copied = f.run(f.store->copy(inbox, {uid, 50}, archive));
  REQUIRE(copied.ok());
  REQUIRE(copied.uids == std::vector<std::pair<Uid, Uid>>{{uid, 2}});
  CHECK(copied.uidvalidity == f.box("Archive").uidvalidity);
  auto row = f.row(archive, 2);
  CHECK(row.body == f.row(inbox, uid).body);
  CHECK(row.flags.keywords == std::vector<std::string>{"mine"});
  CHECK(row.flags.system == flag::seen);
  f.run(f.store->erase(inbox, {uid}));
  CHECK(f.text(archive, 2) == "body");
  CHECK(f.run(f.store->copy(archive, {2}, 4711)).outcome == Outcome::no_mailbox);
  auto same = f.run(f.store->copy(archive, {2}, archive));
  CHECK(same.uids == std::vector<std::pair<Uid, Uid>>{{2, 3}});
  f.check();
}

TEST_CASE("a move leaves nothing behind and gives new uids") {
  Fixture f;
  Uid one = f.put("INBOX", "1");
  Uid two = f.put("INBOX", "2");
  auto inbox = f.box("INBOX").id;
  auto archive = f.box("Archive").id;
  auto moved = f.run(f.store->move(inbox, {two, one}, archive));
  CHECK(moved.uids == std::vector<std::pair<Uid, Uid>>{{one, 1}, {two, 2}});
  CHECK(f.box("INBOX").messages == 0);
  CHECK(f.box("Archive").messages == 2);
  auto within = f.run(f.store->move(archive, {1}, archive));
  CHECK(within.uids == std::vector<std::pair<Uid, Uid>>{{1, 3}});
  CHECK(f.uids(archive) == std::vector<Uid>{2, 3});
  CHECK(f.text(archive, 3) == "1");
  f.check();
}

TEST_CASE("a mailbox is made with its parents, and its name has bounds") {
  Fixture f;
  auto made = f.run(f.store->create_mailbox(f.account, "a/b/c", SpecialUse::none));
  REQUIRE(made.ok());
  CHECK(made.mailbox.name == "a/b/c");
  CHECK(f.store->mailbox(f.account, "a/b"));
  CHECK(f.run(f.store->create_mailbox(f.account, "a/b", SpecialUse::none)).outcome == Outcome::exists);
  CHECK(f.run(f.store->create_mailbox(f.account, "iNbOx", SpecialUse::none)).outcome == Outcome::exists);
  std::string deep = "1";
  for (int i = 0; i < 20; ++i) deep += "/1";
  for (const auto& bad : {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("a*"), std::string("a%b"),
                          std::string("a\nb"), std::string("\xff\xfe"), std::string(1001, 'x'), deep}) {
    INFO(bad);
    CHECK(f.run(f.store->create_mailbox(f.account, bad, SpecialUse::none)).outcome == Outcome::cannot);
  }
  CHECK(f.run(f.store->create_mailbox(99, "a", SpecialUse::none)).outcome == Outcome::no_mailbox);
  auto below = f.run(f.store->create_mailbox(f.account, "inbox/sub", SpecialUse::none));
  CHECK(below.mailbox.name == "INBOX/sub");
}

TEST_CASE("a mailbox made again under an old name has a greater uidvalidity") {
  Fixture f;
  auto first = f.run(f.store->create_mailbox(f.account, "a", SpecialUse::none)).mailbox;
  f.put("a", "1");
  REQUIRE(f.run(f.store->remove_mailbox(f.account, "a")).ok());
  f.reopen();
  auto second = f.run(f.store->create_mailbox(f.account, "a", SpecialUse::none)).mailbox;
  CHECK(second.uidvalidity > first.uidvalidity);
  CHECK(second.id != first.id);
  CHECK(second.messages == 0);
  f.check();
}

TEST_CASE("what a removed mailbox held is swept away, also after a restart") {
  Fixture f;
  auto kept = f.store->state().body_octets;
  for (int i = 0; i < 20; ++i) f.put("a", "message " + std::to_string(i));
  REQUIRE(f.run(f.store->remove_mailbox(f.account, "a")).ok());
  f.reopen();
  f.run(f.store->write({}));   // behind the sweep
  CHECK(f.store->state().body_octets == kept);
  f.check();
  CHECK(f.run(f.store->remove_mailbox(f.account, "a")).outcome == Outcome::no_mailbox);
  CHECK(f.run(f.store->remove_mailbox(f.account, "INBOX")).outcome == Outcome::cannot);
  CHECK(f.run(f.store->remove_mailbox(f.account, "Quarantine")).outcome == Outcome::cannot);
}

TEST_CASE("a removed account takes its mailboxes along and frees its address") {
  Fixture f;
  f.put("INBOX", "1");
  REQUIRE(f.run(f.store->remove_account(f.account)).ok());
  CHECK_FALSE(f.store->account("a@example.test"));
  CHECK(f.store->mailboxes(f.account).empty());
  CHECK(f.run(f.store->remove_account(f.account)).outcome == Outcome::no_mailbox);
  Account again;
  again.address = "a@example.test";
  REQUIRE(f.run(f.store->create_account(again)).ok());
  CHECK(f.store->account("a@example.test")->id > f.account);
  f.reopen();
  f.check();
}

TEST_CASE("renaming takes the children along, keeps uids, and never overwrites") {
  Fixture f;
  f.put("a", "1");
  f.put("a/b", "2");
  f.put("ab", "3");
  auto id = f.box("a").id;
  REQUIRE(f.run(f.store->rename_mailbox(f.account, "a", "x/y")).ok());
  CHECK(f.box("x/y").id == id);
  CHECK(f.box("x/y").messages == 1);
  CHECK(f.box("x/y/b").messages == 1);
  CHECK(f.store->mailbox(f.account, "x"));
  CHECK_FALSE(f.store->mailbox(f.account, "a"));
  CHECK(f.run(f.store->rename_mailbox(f.account, "x/y", "ab")).outcome == Outcome::exists);
  CHECK(f.run(f.store->rename_mailbox(f.account, "x", "x/z")).outcome == Outcome::cannot);
  CHECK(f.run(f.store->rename_mailbox(f.account, "none", "z")).outcome == Outcome::no_mailbox);
  CHECK(f.run(f.store->rename_mailbox(f.account, "ab", "INBOX")).outcome == Outcome::exists);
  CHECK(f.run(f.store->rename_mailbox(f.account, "Quarantine", "q")).outcome == Outcome::cannot);
  f.reopen();
  CHECK(f.box("x/y").id == id);
  f.check();
}

TEST_CASE("renaming INBOX moves its messages and leaves it empty") {
  Fixture f;
  Delivery delivery;
  Item item = item_of("same", {});
  for (int i = 0; i < 1200; ++i) item.targets.push_back(f.to("INBOX"));
  delivery.items.push_back(std::move(item));
  REQUIRE(f.run(f.store->deliver(std::move(delivery))).ok());
  auto inbox = f.box("INBOX");
  REQUIRE(f.run(f.store->rename_mailbox(f.account, "INBOX", "old/mail")).ok());
  CHECK(f.box("INBOX").id == inbox.id);
  CHECK(f.box("INBOX").messages == 0);
  CHECK(f.box("old/mail").messages == 1200);
  CHECK(f.box("INBOX").uidnext == 1201);
  f.check();
}

TEST_CASE("a subscription outlives its mailbox") {
  Fixture f;
  REQUIRE(f.run(f.store->subscribe(f.account, "later", true)).ok());
  REQUIRE(f.run(f.store->subscribe(f.account, "Sent", false)).ok());
  f.reopen();
  auto names = f.store->subscriptions(f.account);
  CHECK(std::find(names.begin(), names.end(), "later") != names.end());
  CHECK(std::find(names.begin(), names.end(), "Sent") == names.end());
  CHECK_FALSE(f.box("Sent").subscribed);
}
