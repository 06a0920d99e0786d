// Who hears of what: NOTIFY, RET, ENVID and ORCPT (RFC 3461) from the queue's side and from the mailboxes'.
#include "gateway/delivery/deliverer.h"
#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using delivery::test::Host;
using delivery::test::QueueWorld;

namespace {

// One recipient at one.test, from me@home.test, who is known.
QueueState asking(const char* notify, bool may_report = true) {
  QueueState state;
  state.sender = "me@home.test";
  state.may_report = may_report;
  state.envid = "QQ+2B1";
  auto& who = state.recipients.emplace_back();
  who.address = who.account = "ann@one.test";
  who.orcpt = "rfc822;orig@one.test";
  if (*notify != '\0') who.notify = *mail::parse_notify(notify);
  return state;
}

struct WithHost {   // outlives the tasks of the world
  Host host;
};

struct World : WithHost, QueueWorld {
  store::AccountId me = 0;
  World() {
    behind("one.test", {&host}).begin();
    me = store.add_account("me@home.test");
  }
  // The reports that came of it once the queue was empty.
  std::vector<std::string> reports(const QueueState& state) {
    put_state("one.test", state);
    REQUIRE(empty());
    return mails(me, store::SpecialUse::inbox);
  }
  std::size_t held() {
    auto account = store.account("ann@one.test");
    return account ? mails(account->id, store::SpecialUse::quarantine).size() : 0;
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("success is told when the next host knows nothing of reports, and left to it when it does") {
  World w;
  auto reports = w.reports(asking("SUCCESS"));
  REQUIRE(reports.size() == 1);
  CHECK(has(reports[0], "Action: relayed\r\n"));
  CHECK(has(reports[0], "Original-Envelope-Id: QQ+1\r\n"));
  CHECK(has(reports[0], "Original-Recipient: rfc822; orig@one.test\r\n"));
  CHECK(has(reports[0], "Status: 2.0.0\r\n"));
  CHECK_FALSE(has(reports[0], ".text\r\n"));   // the header alone: nothing failed
  CHECK(w.host.heard.at(2) == "RCPT TO:<ann@one.test>");

  World knows;
  knows.host.offers_dsn = true;
  CHECK(knows.reports(asking("SUCCESS,FAILURE")).empty());
  CHECK(knows.host.heard.at(1) == "MAIL FROM:<me@home.test> ENVID=QQ+2B1");
  CHECK(knows.host.heard.at(2) == "RCPT TO:<ann@one.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@one.test");
}

TEST_CASE("nobody hears of success who did not ask for it, or may be forged") {
  World w;
  CHECK(w.reports(asking("")).empty());
  CHECK(w.reports(asking("FAILURE,DELAY")).empty());
  CHECK(w.reports(asking("SUCCESS", false)).empty());
  CHECK(w.host.got.size() == 3);
}

TEST_CASE("who asked for no report gets none, and his message is in a quarantine all the same") {
  for (const char* notify : {"NEVER", "SUCCESS", "DELAY"}) {
    INFO(notify);
    World w;
    w.host.at_end = "554 5.7.1 no";
    CHECK(w.reports(asking(notify)).empty());
    CHECK(w.held() == 1);
    CHECK(has(w.mails(w.postmaster, store::SpecialUse::inbox).at(0), "asked for no report"));
  }
}

TEST_CASE("a failure that was asked for is told with what the sender calls it, whole if he wants it whole") {
  for (const char* ret : {"", "HDRS", "FULL"}) {
    World w;
    w.host.at_rcpt["ann@one.test"] = "550 5.1.1 no such user";
    auto state = asking("FAILURE");
    state.ret = ret;
    auto reports = w.reports(state);
    REQUIRE(reports.size() == 1);
    CHECK(has(reports[0], "Action: failed\r\n"));
    CHECK(has(reports[0], "Original-Envelope-Id: QQ+1\r\n"));
    CHECK(has(reports[0], ".text\r\n") == (std::string(ret) == "FULL"));
    CHECK(w.held() == 0);
  }
}

TEST_CASE("of one message each recipient is told of as was asked for him") {
  World w;
  w.host.at_rcpt["bob@one.test"] = w.host.at_rcpt["cat@one.test"] = "550 5.1.1 no such user";
  auto state = asking("SUCCESS");
  for (auto [address, notify] : {std::pair("bob@one.test", "FAILURE"), std::pair("cat@one.test", "NEVER"), std::pair("dan@one.test", "NEVER")}) {
    auto& who = state.recipients.emplace_back();
    who.address = who.account = address;
    who.notify = *mail::parse_notify(notify);
  }
  auto reports = w.reports(state);
  REQUIRE(reports.size() == 1);
  CHECK(has(reports[0], "ann@one.test\r\nAction: relayed"));
  CHECK(has(reports[0], "bob@one.test\r\nAction: failed"));
  CHECK_FALSE(has(reports[0], "cat@one.test"));
  CHECK_FALSE(has(reports[0], "dan@one.test"));
  CHECK(w.mails(w.store.account("cat@one.test")->id, store::SpecialUse::quarantine).size() == 1);
}

TEST_CASE("the null sender hears of nothing, whatever was asked in his name") {
  World w;
  auto state = asking("SUCCESS,FAILURE");
  state.sender.clear();
  CHECK(w.reports(state).empty());
  w.host.at_end = "554 5.7.1 no";
  CHECK(w.reports(state).empty());
  CHECK(w.held() == 1);
}

TEST_CASE("on a full disk a message that was passed on is not sent twice for want of its report") {
  World w;
  w.store.low_space = false;
  REQUIRE(w.until([&] { return w.queue->idle(); }));
  w.put_state("one.test", asking("SUCCESS"));
  w.store.low_space = true;
  REQUIRE(w.empty());
  CHECK(w.host.got.size() == 1);
}

namespace {

// A message to ann and bob, who have mailboxes, as the session hands it over.
std::shared_ptr<Judged> judged() {
  auto message = std::make_shared<Judged>();
  message->id = "7Q3K2";
  message->sender.address = "me@home.test";
  message->sender.envid = "E1";
  message->received = Octets(std::string("Subject: hi\r\n\r\nbody\r\n"));
  message->when = Clock::system().now();
  message->verdict.sender_proved = true;
  for (const char* address : {"ann@home.test", "bob@home.test"}) {
    smtp::Recipient recipient;
    recipient.address = recipient.account = address;
    recipient.notify = *mail::parse_notify("SUCCESS");
    message->recipients.push_back(std::move(recipient));
    message->verdict.recipients.emplace_back().address = address;
  }
  return message;
}

struct Home : QueueWorld {
  store::AccountId me = 0;
  std::unique_ptr<Deliverer> deliverer;
  Home() {
    begin();
    me = store.add_account("me@home.test");
    store.add_account("ann@home.test");
    store.add_account("bob@home.test");
    deliverer = std::make_unique<Deliverer>(store, *directory, "gate.test", postmaster);
  }
  std::vector<std::string> told(std::shared_ptr<Judged> what) {
    REQUIRE(loop.block_on(deliverer->deliver(std::move(what), "ok")).ok());
    return mails(me, store::SpecialUse::inbox);
  }
};

}  // namespace

TEST_CASE("that a message is in a mailbox is told in the commit that puts it there") {
  Home home;
  auto message = judged();
  message->recipients[1].notify = mail::Notify();
  auto told = home.told(message);
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], "Final-Recipient: rfc822; ann@home.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
  CHECK(has(told[0], "Original-Envelope-Id: E1\r\n"));
  CHECK_FALSE(has(told[0], "bob@home.test"));
  CHECK_FALSE(has(told[0], "body\r\n"));
}

TEST_CASE("of an alias the sender hears by its own name, once, and not of what was sent away") {
  Home home;
  auto message = judged();
  for (auto& recipient : message->recipients) recipient.given = "team@home.test";
  auto told = home.told(message);
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], "Final-Recipient: rfc822; team@home.test\r\n"));
  CHECK(told[0].find("Final-Recipient") == told[0].rfind("Final-Recipient"));
  CHECK_FALSE(has(told[0], "ann@home.test"));

  PlanAccounts accounts;
  accounts.onward.resize(2);
  accounts.forwarding.resize(2);
  accounts.forwarding[1].copies.emplace_back();
  CHECK(delivered_here(*message, accounts) == std::vector<std::size_t>{0, 1});
  accounts.forwarding[1].keep = false;
  CHECK(delivered_here(*message, accounts) == std::vector<std::size_t>{0});
}

TEST_CASE("a copy that is held is not told as delivered, nor is anything to a sender who may be forged") {
  Home home;
  auto held = judged();
  held->verdict.recipients[0].action = smtp::Action::quarantine;
  auto told = home.told(held);
  REQUIRE(told.size() == 1);
  CHECK_FALSE(has(told[0], "ann@home.test"));

  Home other;
  auto forged = judged();
  forged->verdict.sender_proved = false;
  CHECK(other.told(forged).empty());
  auto ours = judged();
  ours->verdict.sender_proved = false;
  ours->client.trusted = true;
  CHECK(other.told(ours).size() == 1);
}
