// Who is released to a server elsewhere: one commit takes the copy out of the quarantine and into the queue.
#include "tests/unit/store/failing.h"
#include "tests/unit/store/queue_world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

struct ToHost : ReleaseOnward {
  bool sends = true;
  std::vector<QueueId> told;

  std::optional<Onward> onward(const Account& account, const std::string& header_prefix, const Held& held) override {
    if (!sends) return std::nullopt;
    return onward_to("corp.test", "X-Released: yes\r\n" + header_prefix, account.address + " from " + held.sender);
  }
  void queued(QueueId id, const Onward& onward) override {
    if (onward.destination == "corp.test") told.push_back(id);
  }
};

struct World : Fixture {
  ToHost release;

  explicit World(Ground on = {}) : Fixture(std::move(on)) {
    options.release = &release;
    reopen();
  }
  ~World() { store.reset(); }   // before what it releases with
  Uid hold(std::string text) {
    Target target;
    target.account = account;
    target.use = SpecialUse::quarantine;
    target.header_prefix = "X-Postern-Verdict: quarantine\r\n";
    target.held.emplace();
    target.held->message_class = "spam";
    target.held->sender = "s@example.org";
    auto delivered = deliver(item_of(std::move(text), {target}));
    REQUIRE(delivered.ok());
    return delivered.placed[0][0].uid;
  }
  MailboxId use(SpecialUse which) { return store->mailbox(account, which)->id; }
};

}  // namespace

TEST_CASE("a released copy is queued in the same commit, and stays with its user") {
  World f;
  auto uid = f.hold("not spam");
  REQUIRE(f.run(f.store->move(f.use(SpecialUse::quarantine), {uid}, f.use(SpecialUse::inbox))).ok());
  auto w = world_of(f);
  auto ids = w.ids();
  REQUIRE(ids.size() == 1);
  CHECK(f.release.told == ids);
  auto entry = w.entry(ids[0]);
  CHECK(entry.destination == "corp.test");
  CHECK(entry.state == "a@example.test from s@example.org");
  CHECK(w.text(entry) == "X-Released: yes\r\nX-Postern-Verdict: quarantine\r\nnot spam");
  CHECK(f.box("INBOX").messages == 1);
  // The body is the queue's, too.
  REQUIRE(f.run(f.store->erase(f.use(SpecialUse::inbox), f.uids(f.use(SpecialUse::inbox)))).ok());
  f.reopen();
  auto again = world_of(f);
  CHECK(again.text(again.entry(ids[0])).ends_with("not spam"));
  REQUIRE(again.deliver({}, {removal(ids[0])}).ok());
  f.check();
}

TEST_CASE("a copy out of the quarantine sends once, and its released row no more") {
  World f;
  auto uid = f.hold("not spam");
  REQUIRE(f.run(f.store->copy(f.use(SpecialUse::quarantine), {uid}, f.use(SpecialUse::inbox))).ok());
  REQUIRE(f.run(f.store->copy(f.use(SpecialUse::quarantine), {uid}, f.use(SpecialUse::inbox))).ok());
  CHECK(world_of(f).ids().size() == 1);
  f.check();
}

TEST_CASE("what stays held, and what was never held, is not sent") {
  World f;
  auto uid = f.hold("spam");
  REQUIRE(f.run(f.store->move(f.use(SpecialUse::quarantine), {uid}, f.use(SpecialUse::trash))).ok());
  auto plain = f.put("INBOX", "plain");
  REQUIRE(f.run(f.store->move(f.use(SpecialUse::inbox), {plain}, f.use(SpecialUse::archive))).ok());
  f.release.sends = false;
  auto here = f.hold("mine");
  REQUIRE(f.run(f.store->move(f.use(SpecialUse::quarantine), {here}, f.use(SpecialUse::inbox))).ok());
  CHECK(world_of(f).ids().empty());
  CHECK(f.release.told.empty());
  // Out of Trash into INBOX is a release as well.
  f.release.sends = true;
  REQUIRE(f.run(f.store->move(f.use(SpecialUse::trash), f.uids(f.use(SpecialUse::trash)), f.use(SpecialUse::inbox))).ok());
  CHECK(world_of(f).ids().size() == 1);
  f.check();
}

TEST_CASE("a release that the disk refuses sends nothing and leaves the copy where it was") {
  Plan plan;
  FailingFiles files(plan);
  World f(failing_ground(files, plan));
  auto uid = f.hold("not spam");
  plan.arm(0, Fault::io_error);
  auto moved = f.run(f.store->move(f.use(SpecialUse::quarantine), {uid}, f.use(SpecialUse::inbox)));
  CHECK_FALSE(moved.ok());
  CHECK(f.release.told.empty());
}
