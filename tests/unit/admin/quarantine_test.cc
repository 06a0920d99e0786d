// The administrator's commands on what is held, over a real store.
#include "gateway/admin/quarantine_commands.h"

#include <nlohmann/json.hpp>
#include <set>

#include "gateway/delivery/originals.h"
#include "gateway/delivery/plan.h"
#include "gateway/mail/envelope.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using nlohmann::json;
using store::SpecialUse;
using store::Uid;

namespace {

struct Quarantines : store::test::Fixture {
  admin::Context context;
  store::AccountId other = 0, ours = 0;

  Quarantines() {
    other = add("b@example.test");
    ours = add("quarantine");
    context.store = store.get();
    context.workers = &workers;
  }
  store::AccountId add(const std::string& address) {
    store::Account made;
    made.address = address;
    REQUIRE(run(store->create_account(std::move(made))).ok());
    return store->account(address)->id;
  }
  // A message with a virus, to both users.
  void deliver_virus() {
    delivery::Judged message;
    message.id = "CASE1";
    message.received = Octets(std::string("Subject: infected\r\n\r\nbody\r\n"));
    delivery::PlanAccounts accounts;
    for (auto id : {account, other}) {
      smtp::Recipient recipient;
      recipient.address = recipient.account = store->account(id)->address;
      message.recipients.push_back(recipient);
      smtp::RecipientVerdict verdict;
      verdict.address = recipient.address;
      verdict.action = smtp::Action::quarantine;
      verdict.quarantine_class = "virus";
      message.verdict.recipients.push_back(verdict);
      accounts.recipients.push_back(id);
      accounts.redirects.push_back(0);
      accounts.onward.emplace_back();
    }
    accounts.quarantine = ours;
    REQUIRE(run(store->deliver(delivery::plan(message, accounts, "mx.example.test"))).ok());
  }
  // As it was before each recipient had an original of his own.
  void deliver_old_virus() {
    store::Held held;
    held.message_class = "virus";
    auto original = target(ours, held, "Delivered-To: a@example.test\r\n");
    held.notice = true;
    auto a = target(account, held, "");
    auto b = target(other, held, "");
    a.notice_of = b.notice_of = 0;
    store::Delivery delivery;
    delivery.items.push_back(store::test::item_of("the old original", {original}));
    delivery.items.push_back(store::test::item_of("a notice for one", {a}));
    delivery.items.push_back(store::test::item_of("a notice for two", {b}));
    REQUIRE(run(store->deliver(std::move(delivery))).ok());
  }
  static store::Target target(store::AccountId account, store::Held held, std::string prefix) {
    store::Target out;
    out.account = account;
    out.use = SpecialUse::quarantine;
    out.held = std::move(held);
    out.header_prefix = std::move(prefix);
    return out;
  }
  json ask(json request) { return run(admin::run_quarantine_command(context, std::move(request))); }
  std::size_t listed() { return ask({{"command", "quarantine list"}})["rows"].size(); }
  std::uint64_t count(store::AccountId of, SpecialUse use) { return store->mailbox(of, use)->messages; }
  // What lies with the administrators.
  std::uint64_t originals() {
    std::uint64_t sum = 0;
    for (const auto& mailbox : store->mailboxes(ours)) sum += mailbox.messages;
    return sum;
  }
  void throw_notice_away(store::AccountId of) {
    auto mailbox = store->mailbox(of, SpecialUse::quarantine)->id;
    REQUIRE(run(store->erase(mailbox, uids(mailbox))).ok());
  }
};

}  // namespace

TEST_CASE("a held virus is listed once for each recipient") {
  Quarantines q;
  q.deliver_virus();
  auto rows = q.ask({{"command", "quarantine list"}})["rows"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["user"] == "a@example.test");
  CHECK(rows[1]["user"] == "b@example.test");
  CHECK(rows[1]["subject"] == "infected");
  CHECK(q.ask({{"command", "quarantine list"}, {"user", "b@example.test"}})["rows"].size() == 1);
}

TEST_CASE("an original whose notice was thrown away can be shown, released and deleted") {
  Quarantines q;
  q.deliver_virus();
  q.throw_notice_away(q.account);
  q.throw_notice_away(q.other);
  CHECK(q.listed() == 2);
  auto shown = q.ask({{"command", "quarantine show"}, {"id", "CASE1"}, {"user", "b@example.test"}});
  REQUIRE(shown["ok"] == true);
  CHECK(shown["rows"][0]["text"].get<std::string>().find("Subject: infected") != std::string::npos);
  CHECK(q.ask({{"command", "quarantine release"}, {"id", "CASE1"}, {"user", "a@example.test"}})["ok"] == true);
  CHECK(q.count(q.account, SpecialUse::inbox) == 1);
  CHECK(q.ask({{"command", "quarantine delete"}, {"id", "CASE1"}})["ok"] == true);
  CHECK(q.count(q.other, SpecialUse::inbox) == 0);
  CHECK(q.originals() == 0);
}

TEST_CASE("a release takes notice and original away and carries the recipient's own fields") {
  Quarantines q;
  q.deliver_virus();
  REQUIRE(q.ask({{"command", "quarantine release"}, {"id", "CASE1"}})["ok"] == true);
  for (auto account : {q.account, q.other}) CHECK(q.count(account, SpecialUse::quarantine) == 0);
  CHECK(q.originals() == 0);
  auto inbox = q.store->mailbox(q.other, SpecialUse::inbox)->id;
  auto text = q.text(inbox, 1);
  CHECK(text.find("Delivered-To: b@example.test\r\n") != std::string::npos);
  CHECK(text.find("a@example.test") == std::string::npos);
  q.check();
}

TEST_CASE("an original that served all notices goes with the last one") {
  Quarantines q;
  q.deliver_old_virus();
  CHECK(q.listed() == 2);
  auto id = q.ask({{"command", "quarantine list"}})["rows"][0]["id"];
  REQUIRE(q.ask({{"command", "quarantine release"}, {"id", id}, {"user", "b@example.test"}})["ok"] == true);
  CHECK(q.count(q.other, SpecialUse::inbox) == 1);
  CHECK(q.count(q.ours, SpecialUse::quarantine) == 1);
  q.throw_notice_away(q.account);
  CHECK(q.listed() == 1);
  REQUIRE(q.ask({{"command", "quarantine delete"}, {"id", id}})["ok"] == true);
  CHECK(q.count(q.ours, SpecialUse::quarantine) == 0);
  CHECK(q.listed() == 0);
}

TEST_CASE("a notice whose original is gone can be deleted") {
  Quarantines q;
  q.deliver_virus();
  for (auto address : {"a@example.test", "b@example.test"}) {
    auto originals = q.store->mailbox(q.ours, delivery::originals_folder(address))->id;
    REQUIRE(q.run(q.store->erase(originals, q.uids(originals))).ok());
  }
  CHECK(q.listed() == 2);
  CHECK(q.ask({{"command", "quarantine release"}, {"id", "CASE1"}})["ok"] == false);
  CHECK(q.ask({{"command", "quarantine delete"}, {"id", "CASE1"}})["ok"] == true);
  CHECK(q.listed() == 0);
}

TEST_CASE("a list comes in pages that leave nothing out") {
  Quarantines q;
  q.deliver_virus();
  store::Held held;
  held.message_class = "spam";
  std::vector<store::Target> targets(1500, Quarantines::target(q.account, held, ""));
  store::Delivery delivery;
  delivery.items.push_back(store::test::item_of("spam", std::move(targets)));
  REQUIRE(q.run(q.store->deliver(std::move(delivery))).ok());
  json request{{"command", "quarantine list"}};
  std::set<std::pair<std::string, int>> seen;
  std::size_t pages = 0;
  for (bool more = true; more; ++pages) {
    auto answer = q.ask(request);
    CHECK(answer["rows"].size() < 1100);
    for (const auto& row : answer["rows"]) seen.emplace(row["class"].get<std::string>() + row["user"].get<std::string>(), row["uid"]);
    more = answer.contains("next");
    if (more) request["from"] = answer["next"];
  }
  CHECK(pages == 2);
  CHECK(seen.size() == 1502);
}

TEST_CASE("a list shows little of what strangers wrote at length, and a message that is cut says so") {
  Quarantines q;
  store::Held held;
  held.message_class = "spam";
  held.reason = std::string(299, 'r') + "\u00e4\u00e4\u00e4";
  auto item = store::test::item_of(std::string(100'000, 'x'), {Quarantines::target(q.account, held, "")});
  item.envelope = mail::envelope_of("Subject: " + std::string(50'000, 's') + "\r\n\r\n");
  REQUIRE(q.deliver(std::move(item)).ok());
  auto row = q.ask({{"command", "quarantine list"}})["rows"][0];
  CHECK(row["subject"].get<std::string>().size() == 303);
  CHECK(row["reason"] == std::string(299, 'r') + "...");
  auto shown = q.ask({{"command", "quarantine show"}, {"id", row["id"]}})["rows"][0];
  CHECK(shown["cut"] == true);
  CHECK(shown["text"].get<std::string>().size() == 65536);
  q.deliver_virus();
  CHECK(q.ask({{"command", "quarantine show"}, {"id", "CASE1"}})["rows"][0]["cut"] == false);
}

TEST_CASE("the account that keeps the originals is no user") {
  Quarantines q;
  auto status = q.run(admin::run_command(q.context, {{"command", "status"}}));
  CHECK(status["users"] == 2);
}
