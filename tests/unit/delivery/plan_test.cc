// From verdicts to deliveries: who gets which copy, and with which fields.
#include "gateway/delivery/plan.h"

#include "gateway/delivery/headers.h"
#include "tests/support/catch.h"

using namespace postern;
using delivery::Judged;
using smtp::Action;
using store::SpecialUse;

namespace {

Judged message_to(std::vector<std::string> addresses) {
  Judged message;
  message.id = "7Q3K2";
  message.client.ip = *IpAddress::parse("192.0.2.1");
  message.client.helo = "mail.sender.example";
  message.client.esmtp = true;
  message.sender.address = "you@sender.example";
  message.received = Octets(std::string("From: you@sender.example\r\nX-Postern-Verdict: ham score=-9 id=FORGED\r\nSubject: hi\r\n\r\nbody\r\n"));
  message.when = from_unix(1'795'492'742);
  for (auto& address : addresses) {
    smtp::Recipient recipient;
    recipient.address = address;
    recipient.account = "user@example.test";
    message.recipients.push_back(recipient);
    smtp::RecipientVerdict verdict;
    verdict.address = address;
    message.verdict.recipients.push_back(verdict);
  }
  return message;
}

delivery::PlanAccounts accounts(std::vector<store::AccountId> ids) {
  delivery::PlanAccounts out;
  out.redirects.assign(ids.size(), 0);
  out.recipients = std::move(ids);
  out.quarantine = 99;
  return out;
}

std::string record_of(const store::Item& item) {
  std::string out;
  for (const auto& piece : item.pieces) out += piece.view();
  return out;
}

}  // namespace

TEST_CASE("one body is stored once, with a row for each recipient") {
  auto message = message_to({"a@example.test", "b@example.test"});
  auto delivery = delivery::plan(message, accounts({1, 2}), "mx.example.test");
  REQUIRE(delivery.items.size() == 1);
  REQUIRE(delivery.items[0].targets.size() == 2);
  CHECK(delivery.items[0].targets[0].use == SpecialUse::inbox);
  CHECK(delivery.items[0].targets[1].account == 2);
  CHECK_FALSE(delivery.items[0].targets[0].held);
}

TEST_CASE("forged fields of ours are not in the record, everything else is") {
  auto delivery = delivery::plan(message_to({"a@example.test"}), accounts({1}), "mx.example.test");
  CHECK(record_of(delivery.items[0]) == "From: you@sender.example\r\nSubject: hi\r\n\r\nbody\r\n");
}

TEST_CASE("two addresses of one user bring one copy") {
  auto delivery = delivery::plan(message_to({"a@example.test", "a+tag@example.test"}), accounts({1, 1}), "mx.example.test");
  CHECK(delivery.items[0].targets.size() == 1);
}

TEST_CASE("a recipient who refuses while others accept finds the copy in his quarantine") {
  auto message = message_to({"a@example.test", "b@example.test"});
  message.verdict.recipients[1].action = Action::reject;
  message.verdict.recipients[1].reply = "not for me";
  auto delivery = delivery::plan(message, accounts({1, 2}), "mx.example.test");
  REQUIRE(delivery.items[0].targets.size() == 2);
  const auto& held = delivery.items[0].targets[1];
  CHECK(held.use == SpecialUse::quarantine);
  REQUIRE(held.held);
  CHECK(held.held->message_class == "policy");
  CHECK(held.held->reason == "not for me");
  CHECK(held.header_prefix.find("X-Spam-Flag: YES\r\n") != std::string::npos);
  CHECK(delivery.items[0].targets[0].header_prefix.find("X-Spam-Flag") == std::string::npos);
}

TEST_CASE("of a virus each user gets a notice, and his original lies with the administrators") {
  auto message = message_to({"a@example.test", "b@example.test"});
  for (auto& copy : message.verdict.recipients) {
    copy.action = Action::quarantine;
    copy.quarantine_class = "virus";
  }
  smtp::Hit hit;
  hit.rule = "virus";
  hit.kind = "quarantine";
  hit.why = "Eicar-Test-Signature";
  message.verdict.hits.push_back(hit);
  auto delivery = delivery::plan(message, accounts({1, 2}), "mx.example.test");
  REQUIRE(delivery.items.size() == 3);
  REQUIRE(delivery.items[0].targets.size() == 2);
  for (std::size_t i : {1U, 2U}) {
    const auto& original = delivery.items[0].targets[i - 1];
    CHECK(original.account == 99);
    REQUIRE(original.held);
    CHECK(original.held->recipient == i);
    CHECK(original.header_prefix == delivery::header_prefix(message, i - 1, "mx.example.test"));
    REQUIRE(delivery.items[i].targets.size() == 1);
    const auto& notice = delivery.items[i].targets[0];
    CHECK(notice.account == i);
    CHECK(notice.use == SpecialUse::quarantine);
    CHECK(notice.notice_of == 0);
    CHECK(notice.notice_of_target == i - 1);
    REQUIRE(notice.held);
    CHECK(notice.held->notice);
    CHECK(record_of(delivery.items[i]).find("Eicar-Test-Signature") != std::string::npos);
    CHECK(record_of(delivery.items[i]).find("body\r\n") == std::string::npos);
  }
}

TEST_CASE("a reason cannot forge a header field") {
  auto message = message_to({"a@example.test"});
  smtp::Hit hit;
  hit.rule = "r";
  hit.kind = "score";
  hit.points = 1.5;
  hit.why = "said\r\nX-Evil: yes";
  hit.at = "rules/x.lua:1";
  message.verdict.hits.push_back(hit);
  auto prefix = delivery::header_prefix(message, 0, "mx.example.test");
  CHECK(prefix.find("\r\nX-Evil") == std::string::npos);
  CHECK(prefix.find("X-Postern-Why: r +1.5: said  X-Evil: yes (rules/x.lua:1)\r\n") != std::string::npos);
}

TEST_CASE("the fields of a copy stand in the order of RFC 5321 4.4 and the design") {
  auto prefix = delivery::header_prefix(message_to({"a@example.test"}), 0, "mx.example.test");
  std::size_t at = 0;
  for (const char* field : {"Return-Path: <you@sender.example>\r\n", "\r\nDelivered-To: user@example.test\r\n", "\r\nReceived: from ", "\r\nX-Postern-Verdict: ham score=0.0 id=7Q3K2\r\n"}) {
    INFO(field);
    auto found = prefix.find(field);
    REQUIRE(found != std::string::npos);
    CHECK(found >= at);
    at = found;
  }
}
