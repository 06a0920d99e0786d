// What moving into "Always allow" and "Always block" does, and the lists themselves.
#include "gateway/mail/envelope.h"
#include "gateway/store/names.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

struct Lists : Fixture {
  MailboxId quarantine = store->mailbox(account, SpecialUse::quarantine)->id;
  MailboxId inbox = store->mailbox(account, SpecialUse::inbox)->id;
  MailboxId allow = store->mailbox(account, kAlwaysAllow)->id;
  MailboxId block = store->mailbox(account, kAlwaysBlock)->id;

  Uid arrive(SpecialUse use, std::string from, bool held, std::string envelope_sender = "bounce@lists.example.org") {
    Target target;
    target.account = account;
    target.use = use;
    target.header_prefix = "Return-Path: <" + envelope_sender + ">\r\n";
    if (held) {
      target.held.emplace();
      target.held->message_class = "spam";
      target.held->sender = envelope_sender;
    }
    std::string text = (from.empty() ? "" : "From: " + from + "\r\n") + "Subject: x\r\n\r\nbody\r\n";
    auto item = item_of(text, {target});
    item.envelope = mail::envelope_of(text);
    auto delivered = deliver(std::move(item));
    REQUIRE(delivered.ok());
    return delivered.placed[0][0].uid;
  }
  Uid hold(std::string from, std::string envelope_sender = "bounce@lists.example.org") {
    return arrive(SpecialUse::quarantine, std::move(from), true, std::move(envelope_sender));
  }
  std::string said() {
    std::string out;
    for (const auto& [sender, word] : *store->senders(account)) out += std::string(mail::name(word)) + " " + sender + "; ";
    return out;
  }
  std::size_t count(MailboxId mailbox) { return store->mailbox(mailbox)->messages; }
};

}  // namespace

TEST_CASE("moving a held message to Always allow releases it into INBOX and lists its author") {
  Lists f;
  Uid uid = f.hold("Ann <Ann@Example.ORG>");
  auto moved = f.run(f.store->move(f.quarantine, {uid}, f.allow));
  REQUIRE(moved.ok());
  CHECK(moved.elsewhere);
  CHECK(moved.uidvalidity == f.store->mailbox(f.inbox)->uidvalidity);
  CHECK(f.count(f.quarantine) == 0);
  CHECK(f.count(f.allow) == 0);
  REQUIRE(f.count(f.inbox) == 1);
  CHECK_FALSE(f.row(f.inbox, moved.uids[0].second).held);
  CHECK(f.said() == "allow ann@example.org; ");
  f.reopen();
  CHECK(f.said() == "allow ann@example.org; ");
  f.check();
}

TEST_CASE("moving a held message to Always block keeps it held there and lists its author") {
  Lists f;
  Uid uid = f.hold("ann@example.org");
  auto moved = f.run(f.store->move(f.quarantine, {uid}, f.block));
  REQUIRE(moved.ok());
  CHECK_FALSE(moved.elsewhere);
  REQUIRE(f.count(f.block) == 1);
  REQUIRE(f.row(f.block, moved.uids[0].second).held);
  CHECK(f.said() == "block ann@example.org; ");
  f.check();
}

TEST_CASE("an ordinary message is taken out of INBOX by Always block, and a move back takes back what was said") {
  Lists f;
  Uid uid = f.arrive(SpecialUse::inbox, "ann@example.org", false);
  auto moved = f.run(f.store->move(f.inbox, {uid}, f.block));
  REQUIRE(moved.ok());
  CHECK(f.count(f.inbox) == 0);
  CHECK(f.said() == "block ann@example.org; ");
  auto back = f.run(f.store->move(f.block, {moved.uids[0].second}, f.inbox));
  REQUIRE(back.ok());
  CHECK(f.count(f.inbox) == 1);
  CHECK(f.said() == "");
  f.reopen();
  CHECK(f.said() == "");
}

TEST_CASE("from Always block to Trash nothing is taken back, to Always allow it is turned round") {
  Lists f;
  Uid first = f.hold("ann@example.org");
  Uid second = f.hold("ann@example.org");
  auto moved = f.run(f.store->move(f.quarantine, {first, second}, f.block));
  REQUIRE(moved.uids.size() == 2);
  CHECK(f.run(f.store->move(f.block, {moved.uids[0].second}, f.store->mailbox(f.account, SpecialUse::trash)->id)).ok());
  CHECK(f.said() == "block ann@example.org; ");
  CHECK(f.run(f.store->move(f.block, {moved.uids[1].second}, f.allow)).ok());
  CHECK(f.said() == "allow ann@example.org; ");
  CHECK(f.count(f.inbox) == 1);
}

TEST_CASE("a move back of what was blocked by domain or is allowed by now takes nothing back") {
  Lists f;
  Uid uid = f.hold("ann@example.org");
  auto moved = f.run(f.store->move(f.quarantine, {uid}, f.block));
  CHECK(f.run(f.store->set_sender(f.account, "ann@example.org", mail::SenderWord::allow)).ok());
  CHECK(f.run(f.store->set_sender(f.account, "@example.org", mail::SenderWord::block)).ok());
  CHECK(f.run(f.store->move(f.block, {moved.uids[0].second}, f.inbox)).ok());
  CHECK(f.said() == "block @example.org; allow ann@example.org; ");
}

TEST_CASE("a copy says the same as a move") {
  Lists f;
  Uid uid = f.hold("ann@example.org");
  auto copied = f.run(f.store->copy(f.quarantine, {uid}, f.allow));
  REQUIRE(copied.ok());
  CHECK(f.count(f.inbox) == 1);
  CHECK(f.row(f.quarantine, uid).held->released);
  CHECK(f.said() == "allow ann@example.org; ");
  CHECK(f.run(f.store->copy(f.quarantine, {f.hold("bob@example.org")}, f.block)).ok());
  CHECK(f.said() == "allow ann@example.org; block bob@example.org; ");
  f.check();
}

TEST_CASE("who shows no author, or two, is listed by the envelope sender") {
  struct {
    const char* from;
    const char* envelope;
    const char* said;
  } cases[] = {
      {"", "s@example.org", "block s@example.org; "},
      {"a@example.org, b@example.org", "s@example.org", "block s@example.org; "},
      {"undisclosed:;", "S@Example.org", "block s@example.org; "},
      {"\"a b\"@example.org", "s@example.org", "block \"a b\"@example.org; "},
      {"ann@b\xc3\xbc" "cher.example", "s@example.org", "block ann@xn--bcher-kva.example; "},
      {"", "", ""},
      {"A User <A@example.test>", "a@example.test", ""},   // himself
  };
  for (const auto& c : cases) {
    INFO(c.from << " / " << c.envelope);
    Lists f;
    auto moved = f.run(f.store->move(f.quarantine, {f.hold(c.from, c.envelope)}, f.block));
    REQUIRE(moved.ok());
    CHECK(f.said() == c.said);
    CHECK(f.count(f.block) == 1);
  }
}

TEST_CASE("a full list refuses the move and changes nothing") {
  Lists f;
  for (std::size_t i = 0; i < mail::kMaxSenders; ++i) {
    REQUIRE(f.run(f.store->set_sender(f.account, "s" + std::to_string(i) + "@example.org", mail::SenderWord::block)).ok());
  }
  CHECK(f.run(f.store->set_sender(f.account, "one@more.example", mail::SenderWord::block)).outcome == Outcome::over_quota);
  CHECK(f.run(f.store->set_sender(f.account, "s1@example.org", mail::SenderWord::allow)).ok());
  Uid uid = f.hold("ann@example.org");
  auto moved = f.run(f.store->move(f.quarantine, {uid}, f.block));
  CHECK(moved.outcome == Outcome::over_quota);
  CHECK(f.count(f.quarantine) == 1);
  CHECK(f.run(f.store->set_sender(f.account, "s2@example.org", std::nullopt)).ok());
  CHECK(f.run(f.store->move(f.quarantine, {uid}, f.block)).ok());
}

TEST_CASE("a notice of a virus is neither allowed nor blocked") {
  Lists f;
  Target target;
  target.account = f.account;
  target.use = SpecialUse::quarantine;
  target.held.emplace();
  target.held->message_class = "virus";
  target.held->notice = true;
  auto delivered = f.deliver(item_of("From: ann@example.org\r\n\r\nnotice", {target}));
  for (auto to : {f.allow, f.block}) CHECK(f.run(f.store->move(f.quarantine, {delivered.placed[0][0].uid}, to)).outcome == Outcome::noperm);
  CHECK(f.said() == "");
}

TEST_CASE("the folders of senders keep their names and stay") {
  Lists f;
  for (auto name : {kAlwaysAllow, kAlwaysBlock}) {
    CHECK(f.run(f.store->remove_mailbox(f.account, std::string(name))).outcome == Outcome::cannot);
    CHECK(f.run(f.store->rename_mailbox(f.account, std::string(name), "x")).outcome == Outcome::cannot);
    auto subscribed = f.store->subscriptions(f.account);
    CHECK(std::find(subscribed.begin(), subscribed.end(), name) != subscribed.end());
  }
}

TEST_CASE("a removed account takes its lists with it") {
  Lists f;
  REQUIRE(f.run(f.store->set_sender(f.account, "ann@example.org", mail::SenderWord::block)).ok());
  REQUIRE(f.run(f.store->remove_account(f.account)).ok());
  CHECK(f.store->senders(f.account)->empty());
  CHECK(f.run(f.store->set_sender(f.account, "ann@example.org", mail::SenderWord::block)).outcome == Outcome::no_mailbox);
  f.reopen();
  CHECK(f.store->senders(f.account)->empty());
  f.check();
}
