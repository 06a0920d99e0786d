// The judge with real rules: stages, order, errors.
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using smtp::Action;

TEST_CASE("a rule that reads the client's address refuses it at the door") {
  RuleBench bench(R"(
rule "bad-host" { on = "connect", about = "Refuse one host.",
  check = function(conn)
    if conn.ip == "192.0.2.1" then return reject "we do not like you" end
  end }
)");
  auto decision = bench.connect();
  CHECK(decision.action == Action::reject);
  CHECK(decision.reply == "we do not like you");
  CHECK(decision.rule == "bad-host");
  CHECK(decision.at == "rules/50-test.lua:4");
  CHECK(decision.why == "we do not like you");
  bench.hang_up();
  bench.client.ip = *IpAddress::parse("192.0.2.2");
  CHECK(bench.connect().action == Action::none);
}

TEST_CASE("how a rule failed before the message is told for the log and kept from the client") {
  RuleBench bench(R"(
rule "typo" { on = "connect", check = function(conn)
  if conn.helo.nothing.there then return reject "never" end
end }
)");
  auto decision = bench.connect();
  CHECK(decision.action == Action::defer);
  CHECK(decision.error);
  CHECK(decision.reply == "cannot be judged at the moment, please try again later");
  CHECK(decision.rule == "typo");
  CHECK(decision.at == "rules/50-test.lua:3");
  CHECK(decision.why == "unknown field \"nothing\" of string");
}

TEST_CASE("what rules reject at any stage is held when it came by LMTP") {
  struct {
    const char* stage;
    const char* arguments;
  } cases[] = {{"connect", "conn"}, {"mail", "mail"}, {"rcpt", "mail, rcpt"}, {"message", "mail"}, {"verdict", "mail"}, {"deliver", "mail, rcpt"}};
  for (const auto& c : cases) {
    INFO(c.stage);
    RuleBench bench("rule \"no\" { on = \"" + std::string(c.stage) + "\", check = function(" + c.arguments + ") return reject \"not this\" end }");
    bench.client.lmtp = true;
    CHECK(bench.connect().action == Action::none);
    CHECK(bench.mail().action == Action::none);
    CHECK(bench.rcpt().action == Action::none);
    auto verdict = bench.message();
    CHECK(verdict.verdict == "quarantine");
    REQUIRE(verdict.recipients.size() == 1);
    CHECK(verdict.recipients[0].action == Action::quarantine);
    CHECK(verdict.recipients[0].folder == "Quarantine");
    CHECK(verdict.recipients[0].quarantine_class == "policy");
    REQUIRE(verdict.hits.size() == 1);
    CHECK(verdict.hits[0].why == "not this");
    // The next message of the session is judged for itself; the connection stays what it is.
    bench.client.lmtp = false;
    CHECK((bench.mail().action == Action::reject) == (std::string_view(c.stage) == "mail"));
  }
}

TEST_CASE("by LMTP only the copy of the recipient that a rule refuses is held") {
  RuleBench bench(R"(
rule "not-ben" { on = "rcpt", check = function(mail, rcpt)
  if rcpt.address == "ben@example.org" then return reject "not for Ben" end
end }
)");
  bench.client.lmtp = true;
  bench.recipients.push_back({"ida@example.org", "ida@example.org", {}});
  auto verdict = bench.all();
  REQUIRE(verdict.recipients.size() == 2);
  CHECK(verdict.recipients[0].action == Action::quarantine);
  CHECK(verdict.recipients[1].action == Action::accept);
}

TEST_CASE("a virus stays of class virus and a deferral a deferral though the message came by LMTP") {
  RuleBench virus(R"(
rule "no" { on = "mail", check = function(mail) return reject "not this" end }
rule "virus" { on = "message", check = function(mail) return quarantine("a virus", "virus") end }
)");
  virus.client.lmtp = true;
  CHECK(virus.all().recipients[0].quarantine_class == "virus");
  RuleBench later(R"(rule "later" { on = "message", check = function(mail) return defer "later" end })");
  later.client.lmtp = true;
  CHECK(later.all().verdict == "defer");
}

TEST_CASE("a message with more header fields than are looked at is opaque") {
  RuleBench bench(R"(rule "opaque" { on = "message", check = function(mail) if mail.opaque then return score(1, "opaque") end end })");
  std::string fields;
  for (int i = 0; i < 9'000; ++i) fields += "X: y\r\n";
  CHECK(bench.all(fields + "\r\nbody\r\n").score == 0);
  for (int i = 0; i < 1'001; ++i) fields += "X: y\r\n";
  CHECK(bench.all(fields + "\r\nbody\r\n").score == 1);
}

TEST_CASE("a rule set without rules examines nothing") {
  RuleBench bench("-- nothing yet");
  bench.evidence.spf.result = SpfResult::fail;
  auto verdict = bench.all();
  CHECK(verdict.verdict == "ham");
  CHECK(verdict.authentication_results.find("mx.test; none\r\n") != std::string::npos);
  CHECK(verdict.facts.find("\"spf\"") == std::string::npos);
  CHECK(verdict.facts.find("\"dkim\"") == std::string::npos);
}

TEST_CASE("the facts that every message is examined for are in the verdict though no rule reads them") {
  RuleBench bench(R"(rule "early" { on = "message", check = function(mail) return reject "no" end })");
  bench.evidence.late = true;
  bench.evidence.spf.result = SpfResult::fail;
  auto verdict = bench.all();
  CHECK(verdict.verdict == "reject");
  CHECK(verdict.facts.find("\"spf\":{\"result\":\"fail\"") != std::string::npos);
  CHECK(verdict.facts.find("no rule asked for a scan") != std::string::npos);
}

TEST_CASE("a fact that arrives late is waited for in the middle of a rule") {
  RuleBench bench(R"(
rule "spf" { on = "mail", check = function(mail)
  if mail.spf.result == "fail" then return score(4, "SPF fails for " .. mail.spf.domain) end
end }
)");
  bench.evidence.late = true;
  bench.evidence.spf.result = SpfResult::fail;
  bench.evidence.spf.domain = "sender.example";
  auto verdict = bench.all();
  CHECK(verdict.score == 4);
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "SPF fails for sender.example");
  CHECK(verdict.verdict == "ham");
}
