// What leaves the quarantine, how, and what does not.
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

struct Quarantined : Fixture {
  Uid hold(std::string text, bool notice = false) {
    Target target;
    target.account = account;
    target.use = SpecialUse::quarantine;
    target.header_prefix = "X-Postern-Verdict: quarantine\r\n";
    Held held;
    held.message_class = notice ? "virus" : "spam";
    held.reason = "looks bad";
    held.score = 12.5;
    held.sender = "s@example.org";
    held.notice = notice;
    target.held = held;
    auto delivered = deliver(item_of(std::move(text), {target}));
    REQUIRE(delivered.ok());
    return delivered.placed[0][0].uid;
  }
  MailboxId quarantine = store->mailbox(account, SpecialUse::quarantine)->id;
  MailboxId inbox = store->mailbox(account, SpecialUse::inbox)->id;
  MailboxId use(SpecialUse which) { return store->mailbox(account, which)->id; }
};

}  // namespace

TEST_CASE("what is held carries why over a restart") {
  Quarantined f;
  Uid uid = f.hold("spam");
  f.reopen();
  auto held = f.row(f.quarantine, uid).held;
  REQUIRE(held);
  CHECK(held->message_class == "spam");
  CHECK(held->reason == "looks bad");
  CHECK(held->score == 12.5);
  CHECK(held->sender == "s@example.org");
  CHECK_FALSE(held->released);
}

TEST_CASE("a move from the quarantine to INBOX or an ordinary folder releases with the octets untouched") {
  Quarantined f;
  f.run(f.store->create_mailbox(f.account, "Projects", SpecialUse::none));
  for (auto to : {f.inbox, f.box("Projects").id, f.use(SpecialUse::archive)}) {
    Uid uid = f.hold("spam " + std::to_string(to));
    auto before = f.text(f.quarantine, uid);
    auto moved = f.run(f.store->move(f.quarantine, {uid}, to));
    REQUIRE(moved.ok());
    auto row = f.row(to, moved.uids[0].second);
    CHECK_FALSE(row.held);
    CHECK(f.text(row) == before);
  }
  CHECK(f.store->mailbox(f.quarantine)->messages == 0);
  f.check();
}

TEST_CASE("a copy releases once and leaves the row marked") {
  Quarantined f;
  Uid uid = f.hold("spam");
  auto first = f.run(f.store->copy(f.quarantine, {uid}, f.inbox));
  REQUIRE(first.ok());
  CHECK_FALSE(f.row(f.inbox, first.uids[0].second).held);
  REQUIRE(f.row(f.quarantine, uid).held);
  CHECK(f.row(f.quarantine, uid).held->released);
  auto second = f.run(f.store->copy(f.quarantine, {uid}, f.inbox));
  CHECK(second.ok());
  CHECK(f.store->mailbox(f.inbox)->messages == 2);
  auto thrown = f.run(f.store->erase(f.quarantine, {uid}));
  CHECK(thrown.ok());
  CHECK(f.text(f.inbox, first.uids[0].second) == "X-Postern-Verdict: quarantine\r\nspam");
  f.check();
}

TEST_CASE("to Trash and to Junk a message stays held, and out of there to INBOX it is released") {
  for (auto through : {SpecialUse::trash, SpecialUse::junk}) {
    Quarantined f;
    Uid uid = f.hold("spam");
    auto thrown = f.run(f.store->move(f.quarantine, {uid}, f.use(through)));
    REQUIRE(thrown.ok());
    auto row = f.row(f.use(through), thrown.uids[0].second);
    REQUIRE(row.held);
    CHECK_FALSE(row.held->released);
    CHECK(f.run(f.store->move(f.use(through), {row.uid}, f.use(SpecialUse::sent))).outcome == Outcome::cannot);
    auto back = f.run(f.store->move(f.use(through), {row.uid}, f.inbox));
    REQUIRE(back.ok());
    CHECK_FALSE(f.row(f.inbox, back.uids[0].second).held);
  }
}

TEST_CASE("anything else than a folder for mail answers cannot, and nothing moves") {
  Quarantined f;
  f.run(f.store->create_mailbox(f.account, "Lists/news", SpecialUse::none));
  f.run(f.store->create_mailbox(f.account, "Recover", SpecialUse::none));
  Uid uid = f.hold("spam");
  for (auto to : {f.use(SpecialUse::sent), f.use(SpecialUse::drafts), f.box("Lists/news").id, f.box("Recover").id}) {
    CHECK(f.run(f.store->move(f.quarantine, {uid}, to)).outcome == Outcome::cannot);
    CHECK(f.run(f.store->copy(f.quarantine, {uid}, to)).outcome == Outcome::cannot);
    CHECK(f.store->mailbox(to)->messages == 0);
  }
  CHECK_FALSE(f.row(f.quarantine, uid).held->released);
}

TEST_CASE("a notice may only be thrown away, and the answer names the case") {
  Quarantined f;
  Uid notice = f.hold("notice", true);
  Uid spam = f.hold("spam");
  auto moved = f.run(f.store->move(f.quarantine, {spam, notice}, f.inbox));
  CHECK(moved.outcome == Outcome::noperm);
  CHECK(moved.text.find("ID6") != std::string::npos);
  CHECK(f.store->mailbox(f.inbox)->messages == 0);   // all or nothing
  CHECK(f.run(f.store->copy(f.quarantine, {notice}, f.use(SpecialUse::trash))).outcome == Outcome::noperm);
  auto thrown = f.run(f.store->move(f.quarantine, {notice}, f.use(SpecialUse::trash)));
  REQUIRE(thrown.ok());
  CHECK(f.run(f.store->move(f.use(SpecialUse::trash), {thrown.uids[0].second}, f.inbox)).outcome == Outcome::noperm);
  CHECK(f.run(f.store->erase(f.use(SpecialUse::trash), {thrown.uids[0].second})).ok());
}

TEST_CASE("a notice knows where its original lies") {
  Quarantined f;
  Delivery delivery;
  Held held;
  held.message_class = "virus";
  auto admins = f.to("Quarantine of others/a");
  admins.held = held;
  held.notice = true;
  auto user = f.to("INBOX");
  user.use = SpecialUse::quarantine;
  user.held = held;
  user.notice_of = 1;
  delivery.items.push_back(item_of("notice", {user}));
  delivery.items.push_back(item_of("original", {admins}));
  auto delivered = f.run(f.store->deliver(std::move(delivery)));
  REQUIRE(delivered.ok());
  auto row = f.row(f.quarantine, delivered.placed[0][0].uid);
  REQUIRE(row.held);
  CHECK(row.held->original_mailbox == delivered.placed[1][0].mailbox);
  CHECK(row.held->original_uid == delivered.placed[1][0].uid);
  auto released = f.run(f.store->move(row.held->original_mailbox, {row.held->original_uid}, f.inbox));
  REQUIRE(released.ok());
  CHECK(f.text(f.inbox, released.uids[0].second) == "original");
}

TEST_CASE("a message that was never held goes into the quarantine and out again as it was") {
  Quarantined f;
  Uid uid = f.put("INBOX", "ordinary");
  auto in = f.run(f.store->move(f.inbox, {uid}, f.quarantine));
  REQUIRE(in.ok());
  CHECK(f.run(f.store->move(f.quarantine, {in.uids[0].second}, f.use(SpecialUse::sent))).outcome == Outcome::cannot);
  CHECK(f.run(f.store->move(f.quarantine, {in.uids[0].second}, f.inbox)).ok());
}

TEST_CASE("what is held on its way out moves to Trash alone, and Held stays while something is in it") {
  Quarantined f;
  Target target;
  target.account = f.account;
  target.mailbox = "Held";
  target.held.emplace();
  target.held->message_class = "policy";
  target.held->outgoing = "to whom";
  auto delivered = f.deliver(item_of("ours", {target}));
  REQUIRE(delivered.ok());
  Uid uid = delivered.placed[0][0].uid;
  auto held = f.box("Held").id;
  CHECK(f.box("Held").subscribed);
  f.run(f.store->create_mailbox(f.account, "Projects", SpecialUse::none));
  f.reopen();
  CHECK(f.row(held, uid).held->outgoing == "to whom");
  for (auto to : {f.inbox, f.use(SpecialUse::sent), f.use(SpecialUse::drafts), f.use(SpecialUse::junk), f.quarantine, f.box("Projects").id, held}) {
    auto moved = f.run(f.store->move(held, {uid}, to));
    CHECK(moved.outcome == Outcome::noperm);
    CHECK(moved.text.find("an administrator lets it go") != std::string::npos);
    CHECK(f.run(f.store->copy(held, {uid}, to)).outcome == Outcome::noperm);
  }
  CHECK(f.run(f.store->copy(held, {uid}, f.use(SpecialUse::trash))).outcome == Outcome::noperm);
  CHECK(f.run(f.store->rename_mailbox(f.account, "Held", "Other")).outcome == Outcome::cannot);
  CHECK(f.run(f.store->remove_mailbox(f.account, "Held")).outcome == Outcome::cannot);
  auto thrown = f.run(f.store->move(held, {uid}, f.use(SpecialUse::trash)));
  REQUIRE(thrown.ok());
  auto row = f.row(f.use(SpecialUse::trash), thrown.uids[0].second);
  CHECK(row.held->outgoing == "to whom");
  CHECK(f.run(f.store->move(f.use(SpecialUse::trash), {row.uid}, f.inbox)).outcome == Outcome::noperm);
  CHECK(f.run(f.store->remove_mailbox(f.account, "Held")).ok());
  f.check();
}

TEST_CASE("nothing comes out of the quarantine by way of Held") {
  Quarantined f;
  f.run(f.store->create_mailbox(f.account, "Held", SpecialUse::none));
  Uid uid = f.hold("spam");
  CHECK(f.run(f.store->move(f.quarantine, {uid}, f.box("Held").id)).outcome == Outcome::cannot);
}
