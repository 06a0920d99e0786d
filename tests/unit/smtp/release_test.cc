// RCPT to an address that bears a token, and what a message to it does.
#include "gateway/delivery/link_release.h"

#include "gateway/base/text.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

struct ReleaseWorld : World {
  FixedClock clock{from_unix(1'795'492'742)};
  directory::LinkKeys keys{clock};
  std::unique_ptr<delivery::LinkReleases> releases;
  store::AccountId ann = store.account("ann@example.test")->id;

  ReleaseWorld() {
    REQUIRE(loop.block_on(keys.prepare(store)));
    releases = std::make_unique<delivery::LinkReleases>(store, keys, clock);
    services.releases = releases.get();
  }
  std::string hold(const std::string& message_class = "spam") {
    store::Target target;
    target.account = ann;
    target.use = store::SpecialUse::quarantine;
    target.held.emplace();
    target.held->message_class = message_class;
    store::Item item;
    item.id = "HELD";
    item.pieces.emplace_back(std::string("Subject: held\r\n\r\n"));
    item.targets.push_back(std::move(target));
    store::Delivery delivery;
    delivery.items.push_back(std::move(item));
    auto placed = loop.block_on(store.deliver(std::move(delivery))).placed[0][0];
    auto row = *loop.block_on(store.message(placed.mailbox, placed.uid));
    return delivery::release_local_part(delivery::release_token(*keys.current(), ann, *row, clock.now() + 24h));
  }
  std::uint64_t inbox() { return store.mailbox(ann, store::SpecialUse::inbox)->messages; }
  std::uint64_t quarantine() { return store.mailbox(ann, store::SpecialUse::quarantine)->messages; }
  // The replies from RCPT on.
  Words say(Words lines) {
    Words all{"EHLO client.example", "MAIL FROM:<anybody@sender.example>"};
    all.insert(all.end(), lines.begin(), lines.end());
    auto said = loop.block_on(dialogue(*this, all));
    return Words(said.begin() + 3, said.end());
  }
};

const char* kMail = "Subject: release\r\n\r\nplease\r\n.";

}  // namespace

TEST_CASE("a message to the address releases what the token names, and goes nowhere itself") {
  ReleaseWorld w;
  auto local = w.hold();
  auto said = w.say({"RCPT TO:<" + ascii_uppered(local) + "@Example.TEST>", "DATA", kMail});
  CHECK(said[0] == "250 2.1.5 Recipient OK");
  CHECK(said[2] == "250 2.0.0 Released");
  CHECK(w.inbox() == 1);
  CHECK(w.quarantine() == 0);
  CHECK(w.judge.answers.recipients == 0);   // no rule hears of the address
  for (const auto& [key, value] : w.store.general) CHECK_FALSE(key.starts_with("trace:"));
  CHECK(w.say({"RCPT TO:<" + local + "@mx.example.test>", "DATA", kMail})[2] == "250 2.0.0 There was nothing to release any more");
  CHECK(w.inbox() == 1);
}

TEST_CASE("RCPT alone releases nothing") {
  ReleaseWorld w;
  auto local = w.hold();
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "RSET", "QUIT"})[0] == "250 2.1.5 Recipient OK");
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>"})[0] == "250 2.1.5 Recipient OK");
  CHECK(w.inbox() == 0);
}

TEST_CASE("a token that was changed, or is too old, is refused with a sentence that does not repeat it") {
  ReleaseWorld w;
  auto local = w.hold();
  auto changed = local;
  changed.back() = changed.back() == 'a' ? 'b' : 'a';
  CHECK(w.say({"RCPT TO:<" + changed + "@example.test>"})[0].starts_with("550 5.7.1 This address was not made here, or was changed on its way (id "));
  w.clock.set(w.clock.now() + 25h);
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>"})[0].starts_with("550 5.7.1 This address is too old"));
  CHECK(w.counters.recipients_refused == 2);
  CHECK(w.inbox() == 0);
}

TEST_CASE("the same local part elsewhere is an address like any other, and so is a user who is called release-something") {
  ReleaseWorld w;
  auto local = w.hold();
  CHECK(w.say({"RCPT TO:<" + local + "@elsewhere.example>"})[0].starts_with("550 5.7.1 <release-"));
  CHECK(w.say({"RCPT TO:<release-notes@example.test>"})[0].starts_with("550 5.1.1 "));
  w.store.add_account("release-notes@example.test");
  CHECK(w.say({"RCPT TO:<release-notes@example.test>"})[0] == "250 2.1.5 Recipient OK");
}

TEST_CASE("a message to a user and to such an address does both") {
  ReleaseWorld w;
  auto local = w.hold();
  auto said = w.say({"RCPT TO:<" + local + "@example.test>", "RCPT TO:<ann@example.test>", "DATA", kMail});
  CHECK(said[3].starts_with("250 2.0.0 Accepted as "));
  CHECK(w.inbox() == 2);
  for (const auto& [key, value] : w.store.general) CHECK(value.find(local) == std::string::npos);
}

TEST_CASE("a store that cannot release now defers, and the same message releases it later") {
  ReleaseWorld w;
  auto local = w.hold();
  w.store.fail_with = store::Outcome::no_space;
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "DATA", kMail})[2].starts_with("451 4.3.0 This cannot be released now, try again later (id "));
  w.store.fail_with = store::Outcome::done;
  w.store.unreadable = true;
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "DATA", kMail})[2].starts_with("451 4.3.0 This cannot be released now, try again later (id "));
  w.store.unreadable = false;
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "DATA", kMail})[2] == "250 2.0.0 Released");
}

TEST_CASE("by LMTP each address is answered for, without the token") {
  ReleaseWorld w;
  w.dialect = Dialect::lmtp;
  auto local = w.hold();
  auto said = w.loop.block_on(dialogue(w, {"LHLO relay.example", "MAIL FROM:<a@sender.example>", "RCPT TO:<" + local + "@example.test>", "DATA", kMail}));
  CHECK(said.back() == "250 2.0.0 <release-...@example.test> Released");
  CHECK(w.inbox() == 1);
}

TEST_CASE("in chunks it works as well") {
  ReleaseWorld w;
  auto local = w.hold();
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "BDAT 4 LAST\r\nab"})[1] == "250 2.0.0 Released");
  CHECK(w.inbox() == 1);
}

TEST_CASE("a virus is not released by mail, whatever the token says") {
  ReleaseWorld w;
  auto local = w.hold("virus");
  CHECK(w.say({"RCPT TO:<" + local + "@example.test>", "DATA", kMail})[2] == "250 2.0.0 There was nothing to release any more");
  CHECK(w.inbox() == 0);
}
