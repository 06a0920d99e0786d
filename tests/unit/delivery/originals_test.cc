// Where originals of class virus lie, and how an administrator releases them.
#include "gateway/delivery/originals.h"

#include "gateway/store/names.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::delivery;
using store::Outcome;
using store::SpecialUse;
using store::Uid;

namespace {

struct World : store::test::Fixture {
  store::AccountId ours = 0, other = 0;
  World() {
    for (auto address : {std::string(kOriginalsAccount), std::string("b@example.test")}) {
      store::Account made;
      made.address = address;
      REQUIRE(run(store->create_account(made)).ok());
    }
    ours = store->account(kOriginalsAccount)->id;
    other = store->account("b@example.test")->id;
  }
  store::MailboxId quarantine() { return store->mailbox(account, SpecialUse::quarantine)->id; }
  store::MailboxId inbox(store::AccountId of) { return store->mailbox(of, SpecialUse::inbox)->id; }
  std::uint64_t count(store::MailboxId mailbox) { return store->mailbox(mailbox)->messages; }
  // The places of original and notice.
  std::pair<store::Placed, store::Placed> infect() {
    store::Held held;
    held.message_class = "virus";
    held.recipient = account;
    store::Target original;
    original.account = ours;
    original.mailbox = originals_folder("a@example.test");
    original.held = held;
    store::Target notice;
    notice.account = account;
    notice.use = SpecialUse::quarantine;
    notice.held = held;
    notice.held->notice = true;
    notice.held->recipient = 0;
    notice.notice_of = 0;
    store::Delivery delivery;
    delivery.items.push_back(store::test::item_of("the original", {original}));
    delivery.items.push_back(store::test::item_of("the notice", {notice}));
    auto delivered = run(store->deliver(std::move(delivery)));
    REQUIRE(delivered.ok());
    return {delivered.placed[0][0], delivered.placed[1][0]};
  }
  store::Copied release(store::MailboxId from, Uid uid, store::AccountId user, bool moving = true) {
    return run(release_to_user(*store, from, {uid}, user, moving));
  }
};

}  // namespace

TEST_CASE("every address has a folder of its own that the store takes, and comes back from it") {
  for (const char* address : {"ann@example.org", "a/b@example.org", "a*%=@example.org", "\"a b\"@example.org", "..@example.org", "\xc3\xa4@xn--bcher-kva.example"}) {
    INFO(address);
    auto folder = user_folder(address);
    CHECK(store::mailbox_name(originals_folder(address)).value_or("") == originals_folder(address));
    CHECK(user_of_folder(folder) == std::string(address));
  }
  CHECK(user_folder("a/b@example.org") == "example.org/a=2Fb");
  for (const char* folder : {"", "example.org", "example.org/a/b", "example.org/a=", "example.org/a=2", "example.org/a=zz"}) {
    INFO(folder);
    CHECK(user_of_folder(folder) == std::nullopt);
  }
}

TEST_CASE("a release of an original puts it into INBOX and takes the notice away") {
  for (bool by_notice : {false, true}) {
    World w;
    auto [original, notice] = w.infect();
    const auto& place = by_notice ? notice : original;
    auto released = w.release(place.mailbox, place.uid, w.account);
    REQUIRE(released.ok());
    REQUIRE(released.uids.size() == 1);
    CHECK(w.text(w.inbox(w.account), released.uids[0].second) == "the original");
    CHECK_FALSE(w.row(w.inbox(w.account), released.uids[0].second).held);
    CHECK(w.count(w.quarantine()) == 0);
    CHECK(w.count(original.mailbox) == 0);
    CHECK(w.release(place.mailbox, place.uid, w.account).uids.empty());   // twice is harmless
    w.check();
  }
}

TEST_CASE("a copy of an original marks it and takes the notice away all the same") {
  World w;
  auto [original, notice] = w.infect();
  REQUIRE(w.release(original.mailbox, original.uid, w.account, false).ok());
  CHECK(w.count(w.inbox(w.account)) == 1);
  CHECK(w.row(original.mailbox, original.uid).held->released);
  CHECK(w.count(w.quarantine()) == 0);
}

TEST_CASE("an original goes to its own user only, and one that is gone is an error") {
  World w;
  auto [original, notice] = w.infect();
  auto wrong = w.release(original.mailbox, original.uid, w.other);
  CHECK(wrong.outcome == Outcome::broken);
  CHECK(w.count(w.inbox(w.other)) == 0);
  CHECK(w.count(original.mailbox) == 1);
  REQUIRE(w.run(w.store->erase(original.mailbox, {original.uid})).ok());
  auto gone = w.release(notice.mailbox, notice.uid, w.account);
  CHECK(gone.text == "the original is gone");
  CHECK(w.count(w.quarantine()) == 1);
  REQUIRE(w.run(erase_notices(*w.store, {{original.mailbox, original.uid}}, w.account)).ok());
  CHECK(w.count(w.quarantine()) == 0);
}
