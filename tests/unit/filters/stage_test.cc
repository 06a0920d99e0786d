// Reading order, every stage with every verdict, recipients, effects, the error policy.
#include <algorithm>

#include "filters/combine.h"
#include "gateway/base/text.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using smtp::Action;

namespace {

std::vector<std::string> spoke(const smtp::MessageVerdict& verdict) {
  std::vector<std::string> out;
  for (const auto& hit : verdict.hits) out.push_back(hit.rule);
  return out;
}

}  // namespace

TEST_CASE("every stage takes exactly its verdicts") {
  const char* verdicts[] = {"accept", "defer", "reject", "score", "quarantine", "tag", "redirect", "journal"};
  const char* calls[] = {"accept 'w'", "defer 'w'", "reject 'w'", "score(1, 'w')", "quarantine('w')", "tag('Junk', 'w')", "redirect('a@b.example', 'w')", "journal('a@b.example', 'w')"};
  struct {
    const char* stage;
    std::vector<std::string> takes;
  } stages[] = {
      {"connect", {"accept", "defer", "reject", "score"}},
      {"mail", {"accept", "defer", "reject", "score"}},
      {"rcpt", {"accept", "defer", "reject", "score"}},
      {"message", {"accept", "defer", "reject", "score", "quarantine", "tag", "journal"}},
      {"verdict", {"defer", "reject", "quarantine", "tag", "journal"}},
      {"deliver", {"accept", "defer", "reject", "quarantine", "tag", "redirect", "journal"}},
  };
  for (const auto& stage : stages) {
    for (std::size_t i = 0; i < std::size(verdicts); ++i) {
      INFO(stage.stage << " " << verdicts[i]);
      // Through a table, so that only the running judge can tell.
      RuleBench bench(std::string("local make = { function() return ") + calls[i] + " end }\nrule \"r\" { on = \"" + stage.stage +
                      "\", check = function() return make[1]() end }");
      bool takes = std::find(stage.takes.begin(), stage.takes.end(), verdicts[i]) != stage.takes.end();
      auto verdict = bench.all();
      CHECK(bench.report.edition->health.states()[0].errors == (takes ? 0 : 1));
    }
  }
}

TEST_CASE("answers are read in order of file and line, required rules first") {
  RuleBench bench({{"rules/60-b.lua", R"(
rule "b1" { on = "message", check = function(mail) return score(1, "b1") end }
rule "must" { on = "message", required = true, check = function(mail) if mail.virus.state == "found" then return quarantine("v", "virus") end return score(0.5, "must") end }
)"},
                   {"rules/10-a.lua", R"(
rule "slow" { on = "message", check = function(mail) if mail.spf.result then return score(2, "slow") end end }
rule "a2" { on = "message", check = function(mail) return score(4, "a2") end }
)"}});
  bench.evidence.late = true;
  auto verdict = bench.all();
  CHECK(spoke(verdict) == std::vector<std::string>{"must", "slow", "a2", "b1"});
  CHECK(verdict.score == 7.5);
}

TEST_CASE("the first decision ends its stage, and accept never overrules a required rule") {
  RuleBench bench({{"rules/10-a.lua", "rule \"friend\" { on = \"message\", check = function() return accept 'a friend' end }"},
                   {"rules/20-b.lua", R"(
rule "late" { on = "message", check = function() return reject "never read" end }
rule "virus" { on = "message", required = true, check = function(mail) if mail.virus.state == "found" then return quarantine("v", "virus") end end }
)"}});
  auto clean = bench.all();
  CHECK(clean.verdict == "ham");
  CHECK(spoke(clean) == std::vector<std::string>{"friend"});
  bench.evidence.virus.state = Virus::State::found;
  auto infected = bench.all();
  CHECK(infected.verdict == "quarantine");
  CHECK(infected.recipients[0].quarantine_class == "virus");
  CHECK(spoke(infected) == std::vector<std::string>{"virus"});
}

TEST_CASE("accept of a required rule does not silence another required rule") {
  RuleBench bench(R"(
rule "one" { on = "message", required = true, check = function() return accept "fine" end }
rule "two" { on = "message", required = true, check = function() return reject "not fine" end }
rule "three" { on = "message", check = function() return score(5, "unread") end }
)");
  auto verdict = bench.all();
  CHECK(verdict.verdict == "reject");
  CHECK(spoke(verdict) == std::vector<std::string>{"one", "two"});
}

TEST_CASE("accept ends its own stage only") {
  RuleBench bench(R"(
rule "friend" { on = "connect", check = function() return accept "a friend" end }
rule "other" { on = "message", check = function() return reject "all the same" end }
)");
  CHECK(bench.all().verdict == "reject");
}

TEST_CASE("scores of all stages add up, and the stage verdict sees the sum") {
  RuleBench bench(R"(
rule "c" { on = "connect", check = function() return score(1, "c") end }
rule "m" { on = "mail", check = function() return score(2, "m") end }
rule "d" { on = "message", check = function() return score(4, "d"), tag("Lists", "two at once") end }
rule "v" { on = "verdict", check = function(mail)
  if mail.score == 7 and #mail.hits == 4 and mail.hits[1].rule == "c" then return tag("Junk", "seven") end
end }
)");
  auto verdict = bench.all();
  CHECK(verdict.score == 7);
  CHECK(verdict.verdict == "junk");
  CHECK(verdict.recipients[0].folder == "Junk");
}

TEST_CASE("a score of stage rcpt counts for that recipient only") {
  RuleBench bench(R"(
rule "r" { on = "rcpt", check = function(mail, rcpt) if rcpt.address == "carl@example.org" then return score(6, "carl is careful") end end }
rule "d" { on = "deliver", check = function(mail, rcpt) if mail.score >= 5 then return tag("Junk", "over the top for " .. rcpt.address) end end }
)");
  bench.recipients.push_back({"carl@example.org", "carl@example.org", {}});
  auto verdict = bench.all();
  CHECK(verdict.score == 0);
  CHECK(verdict.verdict == "ham");
  REQUIRE(verdict.recipients.size() == 2);
  CHECK(verdict.recipients[0].folder == "INBOX");
  CHECK(verdict.recipients[1].folder == "Junk");
  CHECK(verdict.recipients[1].score == 6);
}

TEST_CASE("a message is refused only if every recipient refuses it") {
  const char* rules = R"(
rule "d" { on = "deliver", check = function(mail, rcpt)
  if rcpt.groups[1] == "refuses" then return reject "no" end
  if rcpt.groups[1] == "defers" then return defer "later" end
end })";
  auto judged = [&](std::vector<std::string> groups) {
    RuleBench bench(rules);
    bench.recipients.clear();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::string address = "r" + std::to_string(i) + "@example.org";
      bench.recipients.push_back({address, address, {groups[i]}});
    }
    return bench.all();
  };
  auto all_refuse = judged({"refuses", "refuses"});
  CHECK(all_refuse.verdict == "reject");
  CHECK(all_refuse.reply == "no (id M1)");
  CHECK(judged({"defers", "defers"}).verdict == "defer");
  auto one_refuses = judged({"refuses", "takes"});
  CHECK(one_refuses.verdict == "ham");
  CHECK(one_refuses.recipients[0].action == Action::quarantine);
  CHECK(one_refuses.recipients[0].quarantine_class == "policy");
  CHECK(one_refuses.recipients[1].action == Action::accept);
  auto mixed = judged({"refuses", "defers"});
  CHECK(mixed.verdict == "quarantine");
  CHECK(mixed.recipients[1].quarantine_class == "policy");
}

TEST_CASE("count and remember take effect in order, only for rules read before the decision") {
  RuleBench bench(R"(
rule "before" { on = "message", check = function(mail) local n = count("before", "10m") remember("b", "1d", "kept") return score(n, "n") end }
rule "decides" { on = "message", check = function(mail) if mail.subject == "stop" then return reject "stop" end end }
rule "after" { on = "message", check = function(mail) count("after", "10m") remember("a", "1d") end }
)");
  CHECK(bench.all("Subject: stop\r\n\r\n").score == 1);
  CHECK(bench.all("Subject: stop\r\n\r\n").score == 2);
  CHECK(bench.counters.count("before", std::chrono::minutes(10)) == 2);
  CHECK(bench.counters.count("after", std::chrono::minutes(10)) == 0);
  CHECK(bench.counters.recall("b").has_value());
  CHECK_FALSE(bench.counters.recall("a").has_value());
  bench.all();
  CHECK(bench.counters.count("after", std::chrono::minutes(10)) == 1);
}

TEST_CASE("a shadow rule is shown and counts for nothing") {
  RuleBench bench(R"(
rule "s" { on = "message", shadow = true, check = function() return reject "would be refused" end }
rule "broken" { on = "message", shadow = true, check = function() error("x") end }
)");
  auto verdict = bench.all();
  CHECK(verdict.verdict == "ham");
  REQUIRE(verdict.hits.size() == 2);
  CHECK(verdict.hits[0].shadow);
  CHECK(verdict.hits[0].kind == "reject");
}

TEST_CASE("an error counts as defer at the place of its rule") {
  RuleBench bench(R"(
rule "first" { on = "message", check = function(mail) if mail.subject == "bad" then return reject "bad" end end }
rule "broken" { on = "message", check = function() error("x") end }
rule "third" { on = "message", check = function() return reject "not read" end }
)");
  auto deferred = bench.all();
  CHECK(deferred.verdict == "defer");
  CHECK(deferred.error);
  CHECK(deferred.reply == "cannot be judged at the moment, please try again later (id M1)");
  CHECK(bench.all("Subject: bad\r\n\r\n").verdict == "reject");
}

TEST_CASE("the same message that fails again after a quarter of an hour goes to quarantine") {
  RuleBench bench("rule \"broken\" { on = \"message\", check = function() error(\"x\") end }");
  std::string text = "Message-ID: <1@a.example>\r\n\r\n";
  CHECK(bench.all(text).verdict == "defer");
  bench.clock.set(bench.clock.now() + std::chrono::minutes(14));
  CHECK(bench.all(text).verdict == "defer");
  bench.clock.set(bench.clock.now() + std::chrono::minutes(1));
  CHECK(bench.all("Message-ID: <2@a.example>\r\n\r\n").verdict == "defer");
  auto verdict = bench.all(text);
  CHECK(verdict.verdict == "quarantine");
  CHECK(verdict.recipients[0].quarantine_class == "policy");
  CHECK_FALSE(verdict.error);
}

TEST_CASE("two messages for the same many recipients are not the same message") {
  RuleBench bench("rule \"broken\" { on = \"message\", check = function() error(\"x\") end }");
  for (int i = 0; i < 30; ++i) bench.recipients.push_back({"a-long-name-of-recipient-" + std::to_string(i) + "@example.org", "", {}});
  CHECK(bench.all("Message-ID: <1@a.example>\r\n\r\n").verdict == "defer");
  bench.clock.set(bench.clock.now() + std::chrono::minutes(16));
  CHECK(bench.all("Message-ID: <2@a.example>\r\n\r\n").verdict == "defer");
  CHECK(bench.all("Message-ID: <1@a.example>\r\n\r\n").verdict == "quarantine");
}

TEST_CASE("a rule that fails at the door for a quarter of an hour lets mail into quarantine only") {
  RuleBench bench("rule \"broken\" { on = \"connect\", check = function() error(\"x\") end }");
  auto first = bench.connect();
  CHECK(first.action == Action::defer);
  CHECK(first.error);
  bench.hang_up();
  bench.clock.set(bench.clock.now() + std::chrono::minutes(16));
  auto verdict = bench.all();
  CHECK(verdict.verdict == "quarantine");
  CHECK(verdict.recipients[0].quarantine_class == "policy");
}

TEST_CASE("a rule is switched off only when it fails for three messages from three networks") {
  RuleBench bench(R"(
rule "broken" { on = "message", check = function() error("x") end }
rule "must" { on = "message", required = true, check = function(mail) if mail.subject == "must" then error("y") end end }
)");
  auto from = [&bench](const char* ip, const char* id) {
    bench.client.ip = *IpAddress::parse(ip);
    bench.hang_up();
    bench.connect();
    bench.mail();
    bench.rcpt();
    return bench.loop.block_on(bench.examination().on_message(bench.client, id, Octets(std::string("Subject: x\r\n\r\n")), bench.recipients));
  };
  for (int i = 0; i < 10; ++i) CHECK(from("192.0.2.1", ("A" + std::to_string(i)).c_str()).verdict == "defer");
  CHECK(from("198.51.100.1", "B").verdict == "defer");
  CHECK(bench.switched_off.empty());
  CHECK(from("203.0.113.1", "C").verdict == "defer");
  CHECK(bench.switched_off == std::vector<std::string>{"broken"});
  auto verdict = from("192.0.2.1", "D");
  CHECK(verdict.verdict == "ham");
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].off);
  CHECK(verdict.hits[0].why == "switched off: failed 12 of 12 times in 10 minutes: x");
}

TEST_CASE("a required rule is never switched off") {
  RuleBench bench("rule \"must\" { on = \"message\", required = true, check = function() error(\"x\") end }");
  const char* hosts[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.1", "198.51.100.1", "203.0.113.1"};
  for (const char* host : hosts) {
    bench.client.ip = *IpAddress::parse(host);
    bench.client.session += "x";
    CHECK(bench.all().verdict == "defer");
  }
  CHECK(bench.switched_off.empty());
}

TEST_CASE("a tag that names the quarantine holds the copy as quarantine() does") {
  for (const char* folder : {"Quarantine", "quarantine", "Quarantine/Always allow"}) {
    INFO(folder);
    RuleBench bench("rule \"t\" { on = \"message\", check = function() return tag(\"" + std::string(folder) + "\", \"look at it\") end }");
    auto verdict = bench.all();
    CHECK(verdict.verdict == "quarantine");
    REQUIRE(verdict.recipients.size() >= 1);
    CHECK(verdict.recipients[0].action == smtp::Action::quarantine);
    CHECK(verdict.recipients[0].folder == "Quarantine");
    CHECK(verdict.recipients[0].quarantine_class == "spam");
  }
}

TEST_CASE("what rules asked is recorded with the message") {
  RuleBench bench(R"(
rule "asks" { on = "message", check = function(mail)
  local a = dns.a("host.example")
  local code = dns.listed("192.0.2.1", "list.example")
  local n = count("k", "10m")
  local r = recall("x")
  local t = now()
end })");
  REQUIRE(bench.resolver.add("host.example A", "192.0.2.7"));
  auto verdict = bench.all();
  INFO(verdict.facts);
  CHECK(verdict.facts.find(R"("asked":{"dns":{"192.0.2.1 in list.example":"not listed","host.example A":["192.0.2.7"]},"count":{"k 600s":0},"recall":{"x":null},"clock":{"now":1800000000}})") != std::string::npos);
  CHECK(verdict.facts.find(R"({"spf":{"result":"none")") == 0);
  CHECK(verdict.generation.size() == 12);
  CHECK(verdict.authentication_results.find("Authentication-Results: mx.test") == 0);
}

TEST_CASE("a rule runs for mail of its direction alone, and for what comes in when it says none") {
  RuleBench bench(R"(
local function speaks() return score(1, "here") end
rule "silent" { on = "message", check = speaks }
rule "in" { on = "message", direction = "in", check = speaks }
rule "out" { on = "message", direction = "out", check = speaks }
rule "both" { on = "message", direction = "both", check = speaks }
rule "door" { on = "connect", direction = "out", check = speaks }
)");
  CHECK(spoke(bench.all()) == std::vector<std::string>{"silent", "in", "both"});
  bench.client.trusted = true;   // a host of ours hands over what others wrote
  CHECK(spoke(bench.all()) == std::vector<std::string>{"silent", "in", "both"});
  bench.client.trusted = false;
  bench.client.login = "anna@sender.example";
  CHECK(spoke(bench.all()) == std::vector<std::string>{"door", "out", "both"});
  bench.client.login.clear();
  bench.client.submission = true;   // nobody has logged in yet
  CHECK(spoke(bench.all()) == std::vector<std::string>{"door", "out", "both"});
}

TEST_CASE("rules see what went wrong with a user's mail lately, and of a stranger nothing") {
  RuleBench bench(R"(rule "r" { on = "message", direction = "both", check = function(mail)
    return score(mail.sender_held + 10 * mail.sender_bounces + 100 * mail.sender_complaints, "troubles") end })");
  bench.setting.sender_troubles = [](const std::string& login) { return login == "anna@sender.example" ? SenderTroubles{1, 2, 3} : SenderTroubles{}; };
  CHECK(bench.all().score == 0);
  bench.client.login = "anna@sender.example";
  auto seen = bench.all();
  CHECK(seen.score == 321);
  CHECK(seen.facts.find("\"sender_bounces\":2") != std::string::npos);
  bench.client.login = "ben@sender.example";
  CHECK(bench.all().score == 0);
}

TEST_CASE("a test of a rule gives what went wrong, of users alone") {
  auto tested = [](const std::string& given) {
    auto report = load_rules(generation_of({{"rules/50-test.lua", R"(
rule "too-many-bounces" { on = "mail", direction = "out", check = function(mail) if mail.sender_bounces >= 50 then return defer "later" end end }
test "fifty" { given = { )" + given + R"( }, want = { verdict = "defer", rule = "too-many-bounces" } }
)"}}), true);
    return report.failed_tests.empty() ? std::string() : report.failed_tests[0].mistake.what;
  };
  CHECK(tested("login = \"a@b.example\", sender_bounces = 50").empty());
  CHECK(tested("login = \"a@b.example\", sender_bounces = 49").find("wanted defer") != std::string::npos);
  CHECK(tested("sender_bounces = 50").find("it needs given.login") != std::string::npos);
  CHECK(tested("login = \"a@b.example\", sender_bounces = -1").find("0 or more") != std::string::npos);
}

TEST_CASE("of outgoing mail no SPF, DKIM or DMARC is told unless a rule asked") {
  RuleBench bench(R"(rule "r" { on = "message", direction = "out", check = function(mail) if mail.subject == "ask" then return score(1, mail.spf.result) end end })");
  bench.client.login = "anna@sender.example";
  auto quiet = bench.all();
  CHECK(quiet.authentication_results.find("\r\n\t smtp.auth=anna@sender.example\r\n") != std::string::npos);
  CHECK(quiet.authentication_results.find("spf=") == std::string::npos);
  CHECK(quiet.authentication_results.find("dkim=") == std::string::npos);
  auto asked = bench.all("Subject: ask\r\nFrom: anna@sender.example\r\n\r\nBody\r\n");
  CHECK(spoke(asked) == std::vector<std::string>{"r"});
  CHECK(asked.authentication_results.find("spf=") != std::string::npos);
}

TEST_CASE("a direction that does not exist is a mistake with its line") {
  auto report = load_rules(generation_of({{"rules/50-test.lua", "rule \"r\" { on = \"mail\", direction = \"inwards\", check = function() end }"}}), false);
  REQUIRE(report.mistakes.size() == 1);
  CHECK(report.mistakes[0].text() == "rules/50-test.lua:1: rule \"r\": direction = is \"in\", \"out\" or \"both\"");
}
