// From verdicts to deliveries: who gets which copy, and with which fields.
#include "gateway/delivery/plan.h"

#include "gateway/delivery/headers.h"
#include "gateway/delivery/queue_state.h"
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
  out.onward.resize(ids.size());
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
    CHECK(original.mailbox == "example.test/user/Viruses");
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

TEST_CASE("the world does not hear what we think of what our users or our own server send there") {
  auto message = message_to({"far@elsewhere.org"});
  message.client.trusted = true;
  message.recipients[0].onward = "elsewhere.org";
  message.abroad.insert("far@elsewhere.org");
  message.verdict.recipients[0].score = 4;
  auto there = delivery::onward_prefix(message, 0, "mx.example.test");
  CHECK(there.starts_with("Received: from "));
  CHECK(there.find("X-Postern") == std::string::npos);
  CHECK(there.find("X-Spam") == std::string::npos);
  message.abroad.clear();   // a server of ours gets it all
  CHECK(delivery::onward_prefix(message, 0, "mx.example.test").find("\r\nX-Postern-Verdict: ham score=4.0 id=7Q3K2\r\n") != std::string::npos);
}

TEST_CASE("copies that go on are one entry a domain and set of fields, and stand in no mailbox") {
  auto message = message_to({"a@corp.test", "b@corp.test", "c@other.test", "d@example.test"});
  message.verdict.sender_proved = true;
  auto places = accounts({0, 0, 0, 4});
  places.onward[0] = {"corp.test", "a@corp.test", "a@corp.test"};
  places.onward[1] = {"corp.test", "b@corp.test", "b@corp.test"};
  places.onward[2] = {"other.test", "c@other.test", ""};
  auto delivery = delivery::plan(message, places, "mx.example.test");
  REQUIRE(delivery.items.size() == 1);
  const auto& item = delivery.items[0];
  REQUIRE(item.targets.size() == 1);
  CHECK(item.targets[0].account == 4);
  REQUIRE(item.onward.size() == 2);
  CHECK(item.onward[0].destination == "corp.test");
  auto state = delivery::decode_state(item.onward[0].state);
  REQUIRE(state);
  CHECK(state->sender == "you@sender.example");
  CHECK(state->may_report);
  REQUIRE(state->recipients.size() == 2);
  CHECK(state->recipients[1].address == "b@corp.test");
  CHECK(state->recipients[1].account == "b@corp.test");
  // RFC 5321 4.4: these two belong to who delivers.
  CHECK(item.onward[0].header_prefix.find("Return-Path") == std::string::npos);
  CHECK(item.onward[0].header_prefix.find("Delivered-To") == std::string::npos);
  CHECK(item.onward[0].header_prefix.find("X-Postern-Verdict: ham") != std::string::npos);
}

TEST_CASE("a copy that is junk goes on with its mark, one that is held stays here") {
  auto message = message_to({"a@corp.test", "b@corp.test"});
  message.verdict.recipients[0].folder = "Junk";
  message.verdict.recipients[1].action = Action::quarantine;
  message.verdict.recipients[1].quarantine_class = "spam";
  auto places = accounts({0, 2});
  for (auto i : {0U, 1U}) places.onward[i] = {"corp.test", message.recipients[i].address, ""};
  auto delivery = delivery::plan(message, places, "mx.example.test");
  const auto& item = delivery.items.at(0);
  REQUIRE(item.onward.size() == 1);
  CHECK(item.onward[0].header_prefix.find("X-Spam-Flag: YES\r\n") != std::string::npos);
  REQUIRE(item.targets.size() == 1);
  CHECK(item.targets[0].use == SpecialUse::quarantine);
  CHECK_FALSE(item.parts.empty());
}

TEST_CASE("what one of ours sends on has another sender, says who sent it, and keeps what we thought of it here") {
  auto message = message_to({"a@example.test", "b@example.test"});
  message.verdict.authentication_results = "Authentication-Results: mx.example.test; spf=pass\r\n";
  smtp::Hit hit;
  hit.rule = "secret";
  hit.kind = "score";
  hit.why = "known to us";
  message.verdict.hits.push_back(hit);
  auto places = accounts({1, 2});
  places.forwarding.resize(2);
  for (bool keep : {true, false}) {
    delivery::OnwardCopy copy{"far.example", "a@far.example", "a@example.test", {}, "", "a@example.test", "SRS0=x@example.test"};
    places.forwarding[0].copies = {copy, copy};
    places.forwarding[0].keep = keep;
    auto delivery = delivery::plan(message, places, "mx.example.test");
    const auto& item = delivery.items.at(0);
    CHECK(item.targets.size() == (keep ? 2U : 1U));
    REQUIRE(item.onward.size() == 1);
    const auto& prefix = item.onward[0].header_prefix;
    CHECK(prefix.starts_with("Delivered-To: a@example.test\r\nReceived: "));
    CHECK(prefix.find("spf=pass") != std::string::npos);
    CHECK(prefix.find("X-Postern") == std::string::npos);
    auto state = delivery::decode_state(item.onward[0].state);
    REQUIRE(state);
    CHECK(state->sender == "SRS0=x@example.test");
    REQUIRE(state->recipients.size() == 1);
    CHECK(state->recipients[0].address == "a@far.example");
    CHECK(state->recipients[0].account == "a@example.test");   // whose quarantine takes it if it cannot be handed on
  }
}

TEST_CASE("what is held is sent on by nobody") {
  auto message = message_to({"a@example.test"});
  message.verdict.recipients[0].action = Action::quarantine;
  auto places = accounts({1});
  places.forwarding.resize(1);
  places.forwarding[0].copies.push_back({"far.example", "a@far.example", "a@example.test", {}, "", "a@example.test", "SRS0=x@example.test"});
  auto delivery = delivery::plan(message, places, "mx.example.test");
  CHECK(delivery.items.at(0).onward.empty());
  REQUIRE(delivery.items[0].targets.size() == 1);
  CHECK(delivery.items[0].targets[0].use == SpecialUse::quarantine);
}

TEST_CASE("Received names the address of RCPT where there was but one, whomever it led to") {
  auto message = message_to({"a@example.test", "b@example.test"});
  for (auto& recipient : message.recipients) recipient.given = "sales@example.test";
  CHECK(delivery::header_prefix(message, 1, "mx.example.test").find("for <sales@example.test>") != std::string::npos);
  message.recipients[1].given.clear();
  CHECK(delivery::header_prefix(message, 1, "mx.example.test").find("for <") == std::string::npos);
}

TEST_CASE("no entry has more recipients than servers take in one transaction") {
  std::vector<std::string> addresses;
  for (int i = 0; i < 250; ++i) addresses.push_back("user" + std::to_string(i) + "@corp.test");
  auto message = message_to(addresses);
  auto places = accounts(std::vector<store::AccountId>(250, 0));
  for (std::size_t i = 0; i < addresses.size(); ++i) places.onward[i] = {"corp.test", addresses[i], ""};
  auto delivery = delivery::plan(message, places, "mx.example.test");
  std::size_t recipients = 0;
  for (const auto& onward : delivery.items.at(0).onward) {
    auto state = delivery::decode_state(onward.state);
    REQUIRE(state);
    CHECK(state->recipients.size() <= 100);
    recipients += state->recipients.size();
  }
  CHECK(recipients == 250);
  CHECK(delivery.items[0].parts.empty());   // read for no mailbox
}

TEST_CASE("signatures go with the copies that go on, now or when they are released, and with no other") {
  auto message = message_to({"a@corp.test", "b@corp.test", "c@example.test"});
  message.signatures = "DKIM-Signature: v=1; b=\r\n";
  message.verdict.recipients[1].action = Action::quarantine;
  auto places = accounts({0, 2, 3});
  for (auto i : {0U, 1U}) places.onward[i] = {"corp.test", message.recipients[i].address, ""};
  auto delivery = delivery::plan(message, places, "mx.example.test");
  const auto& item = delivery.items.at(0);
  REQUIRE(item.onward.size() == 1);
  CHECK(item.onward[0].header_prefix.ends_with("\r\nDKIM-Signature: v=1; b=\r\n"));
  REQUIRE(item.targets.size() == 2);
  CHECK(item.targets[0].header_prefix.find("DKIM-Signature") != std::string::npos);
  CHECK(item.targets[1].header_prefix.find("DKIM-Signature") == std::string::npos);
}

TEST_CASE("a journal copy has the octets of the message and the whole envelope, whatever becomes of the message") {
  auto message = message_to({"a@example.test", "b@example.test"});
  message.recipients[1].given = "info@example.test";
  for (auto& copy : message.verdict.recipients) {
    copy.action = Action::quarantine;
    copy.quarantine_class = "spam";
  }
  auto where = accounts({1, 2});
  where.journals.push_back({7, {}});
  where.journals.push_back({0, {"archive.example", "vault@archive.example", "", {}, {}, {}, ""}});
  auto delivery = delivery::plan(message, where, "mx.example.test");
  REQUIRE(delivery.items[0].targets.size() == 3);
  const auto& kept = delivery.items[0].targets[2];
  CHECK(kept.account == 7);
  CHECK(kept.use == SpecialUse::inbox);
  CHECK_FALSE(kept.held);
  CHECK(kept.header_prefix.find("X-Postern-Journal-From: <you@sender.example>\r\nX-Postern-Journal-To: <a@example.test>\r\n"
                                "X-Postern-Journal-To: <info@example.test>\r\n") != std::string::npos);
  REQUIRE(delivery.items[0].onward.size() == 1);
  const auto& sent = delivery.items[0].onward[0];
  CHECK(sent.destination == "archive.example");
  CHECK(delivery::sender_of(sent.state).empty());
  CHECK(kept.header_prefix == "Return-Path: <you@sender.example>\r\n" + sent.header_prefix);
}
