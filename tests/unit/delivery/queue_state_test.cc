// The queue's rows come back as they were written, and damaged ones are known.
#include "gateway/delivery/queue_state.h"

#include "gateway/delivery/release.h"
#include "gateway/mail/blob.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::delivery;

namespace {

QueueState full_state() {
  QueueState state;
  state.sender = "you@sender.example";
  state.recipients.push_back({"ann@corp.test", "ann@corp.test", "451 4.2.1 later"});
  state.recipients.push_back({"\"odd one\"@corp.test", "", ""});
  state.recipients[1].notify = *mail::parse_notify("SUCCESS,DELAY");
  state.recipients[1].orcpt = "rfc822;odd+20one@corp.test";
  state.recipients[1].told_of_delay = true;
  state.ret = "HDRS";
  state.envid = "QQ314159";
  state.eight_bit = true;
  state.may_report = true;
  state.attempts = 7;
  state.last_attempt = from_unix(1'795'492'742);
  return state;
}

}  // namespace

TEST_CASE("a state comes back as it was written") {
  auto back = decode_state(encode(full_state()));
  REQUIRE(back);
  CHECK(back->sender == "you@sender.example");
  REQUIRE(back->recipients.size() == 2);
  CHECK(back->recipients[0].words == "451 4.2.1 later");
  CHECK(back->recipients[1].address == "\"odd one\"@corp.test");
  CHECK(back->recipients[1].account == "");
  CHECK(back->eight_bit);
  CHECK_FALSE(back->smtputf8);
  CHECK(back->may_report);
  CHECK(back->attempts == 7);
  CHECK(back->last_attempt == from_unix(1'795'492'742));
  CHECK(back->ret == "HDRS");
  CHECK(back->envid == "QQ314159");
  CHECK(back->recipients[0].notify == mail::Notify());
  CHECK_FALSE(back->recipients[0].told_of_delay);
  CHECK(back->recipients[1].notify.text() == "SUCCESS,DELAY");
  CHECK(back->recipients[1].orcpt == "rfc822;odd+20one@corp.test");
  CHECK(back->recipients[1].told_of_delay);
}

TEST_CASE("a row of before there were reports on request is read, as one in which nothing was asked") {
  std::string old;
  for (std::uint64_t number : {1, 1 | 4, 3, 1'000'000}) mail::put_number(old, number);   // version, marks, attempts, last attempt
  mail::put_text(old, "you@sender.example");
  mail::put_number(old, 1);
  for (const char* text : {"ann@corp.test", "ann@corp.test", "451 later"}) mail::put_text(old, text);
  auto state = decode_state(old);
  REQUIRE(state);
  CHECK(state->sender == "you@sender.example");
  CHECK(state->eight_bit);
  CHECK(state->may_report);
  CHECK(state->attempts == 3);
  CHECK(state->envid.empty());
  REQUIRE(state->recipients.size() == 1);
  CHECK(state->recipients[0].words == "451 later");
  CHECK(state->recipients[0].notify == mail::Notify());
  for (std::size_t length = 0; length < old.size(); ++length) CHECK_FALSE(decode_state(old.substr(0, length)));
  old[0] = 3;   // of a Postern to come
  CHECK_FALSE(decode_state(old));
}

TEST_CASE("what a sender asked for goes on, but no report on success for one who may be forged") {
  auto state = full_state();
  auto envelope = envelope_of(state);
  CHECK(envelope.ret == "HDRS");
  CHECK(envelope.envid == "QQ314159");
  CHECK(envelope.recipients[0].notify == "");
  CHECK(envelope.recipients[1].notify == "SUCCESS,DELAY");
  CHECK(envelope.recipients[1].orcpt == "rfc822;odd+20one@corp.test");
  state.may_report = false;
  CHECK(envelope_of(state).recipients[1].notify == "DELAY");
}

TEST_CASE("a state that is cut or has more behind it is no state") {
  auto text = encode(full_state());
  for (std::size_t length = 0; length < text.size(); ++length) CHECK_FALSE(decode_state(text.substr(0, length)));
  CHECK_FALSE(decode_state(text + "x"));
}

TEST_CASE("a released copy goes on without the fields that called it spam") {
  std::string held =
      "Return-Path: <you@sender.example>\r\nDelivered-To: ann@corp.test\r\nReceived: from a\r\n\tby b; now\r\n"
      "X-Postern-Verdict: quarantine score=15.0 id=7Q3K2\r\nX-Postern-Why: gtube +15.0: it says so (rules/50.lua:3)\r\nX-Spam-Flag: YES\r\n";
  CHECK(released_prefix(held) ==
        "Received: from a\r\n\tby b; now\r\nX-Postern-Verdict: ham score=15.0 id=7Q3K2\r\n"
        "X-Postern-Why: gtube +15.0: it says so (rules/50.lua:3)\r\nX-Postern-Why: released from the quarantine\r\n");
}

TEST_CASE("who is released to a domain with mailboxes here stays here") {
  config::Config config;
  auto& relay = config.domains.emplace_back();
  relay.name = "corp.test";
  relay.relay.hosts.push_back(*config::parse_host("smtp://10.0.0.1"));
  config.domains.emplace_back().name = "example.test";
  Routes routes(config);
  ReleaseToHost release(routes, {});
  store::Account account;
  store::Held held;
  held.sender = "you@sender.example";
  account.address = "ann@example.test";
  CHECK_FALSE(release.onward(account, "", held));
  account.address = "ann@corp.test";
  auto onward = release.onward(account, "", held);
  REQUIRE(onward);
  CHECK(onward->destination == "corp.test");
  auto state = decode_state(onward->state);
  REQUIRE(state);
  CHECK(state->sender == "you@sender.example");
  CHECK(state->recipients.front().address == "ann@corp.test");
  CHECK_FALSE(state->may_report);
}
