// Kept mail before other rules, with what was known then.
#include "filters/replay.h"

#include <nlohmann/json.hpp>

#include "filters/recorded_evidence.h"
#include "gateway/base/random.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// Asks the world for all that there is to ask.
const char* kCurious = R"(
rule "door" { on = "connect", about = "t", check = function(conn)
  if dns.listed(conn.ip, "zen.test") then return score(1, "listed") end
end }
rule "curious" { on = "message", about = "t", check = function(mail)
  local names = dns.a("host.test")
  local mx = dns.mx("mx.test")
  local none = dns.txt("none.test")
  local ptr = dns.ptr("192.0.2.1")
  local times = count("key one", "10m")
  local known = recall("friend")
  local what = recall("value")
  local hour = now()
  local points = 0
  if names and names[1] == "192.0.2.7" then points = points + 1 end
  if mx and mx[1].host == "m.mx.test" and mx[1].preference == 5 then points = points + 1 end
  if none == nil then points = points + 1 end
  if ptr and ptr[1] == "client.example" then points = points + 1 end
  if times == 4 then points = points + 1 end
  if known == true then points = points + 1 end
  if what == "7" then points = points + 1 end
  if hour == 1800000000 then points = points + 1 end
  if mail.spf.result == "fail" then points = points + 1 end
  if mail.virus.state == "found" then points = points + 1 end
  return score(points, "saw it all")
end }
)";

struct Then : RuleBench {
  std::string id = new_id();
  Octets octets{std::string("Subject: hello\r\nFrom: anna@sender.example\r\n\r\nBody\r\n")};

  explicit Then(std::string text) : RuleBench(std::move(text)) {
    REQUIRE(resolver.add("1.2.0.192.zen.test A", "127.0.0.2"));
    REQUIRE(resolver.add("host.test A", "192.0.2.7"));
    REQUIRE(resolver.add("mx.test MX", "5 m.mx.test"));
    REQUIRE(resolver.add("1.2.0.192.in-addr.arpa PTR", "client.example"));
    counters.add("key one", 600s, 3);
    counters.remember("friend", 1h, "");
    counters.remember("value", 1h, "=7");
    evidence.spf.result = SpfResult::fail;
    evidence.spf.domain = "sender.example";
    evidence.virus.state = Virus::State::found;
    evidence.virus.name = "Test";
  }
  // As delivery writes it.
  std::string judged() {
    auto verdict = all(std::string(octets.view()));
    json out{{"ip", client.ip.to_string()}, {"helo", client.helo}, {"from", sender.address}, {"session", client.session}, {"verdict", verdict.verdict},
             {"facts", json::parse(verdict.facts)}, {"hits", json::array()}};
    for (const auto& copy : verdict.recipients) out["recipients"][copy.address] = {{"action", smtp::name(copy.action)}, {"folder", copy.folder}};
    for (const auto& hit : verdict.hits) out["hits"].push_back({{"rule", hit.rule}, {"kind", hit.kind}});
    last = verdict;
    return out.dump();
  }
  Past past() {
    auto read = read_past(id, judged());
    REQUIRE(read);
    return *read;
  }
  smtp::MessageVerdict last;
};

Replayed replayed(Then& then, Past past, std::string text) {
  RuleBench now(std::move(text));
  Replayer replayer(now.report.edition, now.state, then.evidence, "mx.test");
  auto out = now.loop.block_on(replayer.judge(std::move(past), then.octets));
  return out;
}

}  // namespace

TEST_CASE("the same rules find what they found, without asking the world") {
  Then then(kCurious);
  auto past = then.past();
  CHECK(then.last.score == 11);
  then.resolver.forget_asked();
  auto now = replayed(then, past, kCurious);
  CHECK(now.score == 11);
  CHECK(now.verdict == past.verdict);
  CHECK(now.rules == past.rules);
  CHECK(now.unknown.empty());
  CHECK_FALSE(now.differs(past));
  CHECK(then.resolver.asked().empty());
}

TEST_CASE("what went wrong with a user's mail is as it was then") {
  const char* text = R"(rule "t" { on = "message", about = "t", direction = "out", check = function(mail) if mail.sender_bounces > 1 then return score(mail.sender_bounces, "b") end end })";
  Then then(text);
  then.client.login = then.sender.address = "anna@sender.example";
  then.client.submission = true;
  then.setting.sender_troubles = [](const std::string&) { return SenderTroubles{0, 4, 0}; };
  auto row = json::parse(then.judged());
  CHECK(then.last.score == 4);
  row["login"] = "anna@sender.example";
  row["submission"] = true;
  auto past = read_past(then.id, row.dump());
  REQUIRE(past);
  auto now = replayed(then, *past, text);
  CHECK(now.score == 4);
  CHECK(now.unknown.empty());
}

TEST_CASE("what nobody asked then is unknown, and an answer that is none") {
  Then then(R"(rule "plain" { on = "message", about = "t", check = function(mail) return nil end })");
  auto past = then.past();
  auto now = replayed(then, past, kCurious);
  CHECK(now.unknown.contains("dns 192.0.2.1 in zen.test"));
  CHECK(now.unknown.contains("dns host.test A"));
  CHECK(now.unknown.contains("count key one 600s"));
  CHECK(now.unknown.contains("recall friend"));
  CHECK(now.unknown.contains("fact virus"));
  CHECK_FALSE(now.unknown.contains("fact spf"));   // that is always found out
}

TEST_CASE("other rules show which rule decides, where, and for whom") {
  Then then(kCurious);
  auto past = then.past();
  auto now = replayed(then, past, R"(
rule "no" { on = "message", about = "t", check = function(mail) if mail.subject == "hello" then return quarantine("not this", "policy") end end })");
  CHECK(now.differs(past));
  CHECK(now.verdict == "quarantine");
  CHECK(now.decided_by == "no");
  CHECK(now.at == "rules/50-test.lua:2");
  CHECK(now.outcomes.at("ben@example.org") == "quarantine");
  now = replayed(then, past, R"(rule "door" { on = "connect", about = "t", check = function(conn) return reject "nobody" end })");
  CHECK(now.verdict == "reject");
  CHECK(now.decided_by == "door");
  CHECK(now.outcomes.at("ben@example.org") == "reject");
  now = replayed(then, past, R"(rule "him" { on = "rcpt", about = "t", check = function(mail, rcpt) return defer "later" end })");
  CHECK(now.verdict == "defer");
  now = replayed(then, past, R"(rule "shadow" { on = "message", about = "t", shadow = true, check = function(mail) return reject "no" end })");
  CHECK(now.verdict == "ham");
}

TEST_CASE("a message of which one copy goes another way differs") {
  Then then(R"(rule "plain" { on = "message", about = "t", check = function(mail) return nil end })");
  then.recipients.push_back({"eva@example.org", "eva@example.org", {}});
  auto past = then.past();
  CHECK(past.recipients.size() == 2);
  auto now = replayed(then, past, R"(rule "eva" { on = "deliver", about = "t", check = function(mail, rcpt)
    if rcpt.address == "eva@example.org" then return tag("Junk", "hers") end end })");
  CHECK(now.verdict == past.verdict);
  CHECK(now.differs(past));
  CHECK(now.outcomes.at("eva@example.org") == "Junk");
  CHECK(now.outcomes.at("ben@example.org") == "INBOX");
}

TEST_CASE("a rule that fails now is told; one that failed then and fails now is no change") {
  Then then(R"(rule "plain" { on = "message", about = "t", check = function(mail) return nil end })");
  auto past = then.past();
  const char* broken = R"(rule "broken" { on = "message", about = "t", check = function(mail) return score(mail.size + nil, "x") end })";
  auto now = replayed(then, past, broken);
  CHECK(now.failed);
  CHECK(now.differs(past));
  past.failed = true;
  past.verdict = "quarantine";
  CHECK_FALSE(replayed(then, past, broken).differs(past));
}

TEST_CASE("what delivery made of the judge's word is not the rules' doing") {
  Then then(R"(rule "plain" { on = "message", about = "t", check = function(mail) return nil end })");
  auto row = json::parse(then.judged());
  row["as_judged"] = {{"verdict", row["verdict"]}, {"recipients", row["recipients"]}};
  row["verdict"] = "quarantine";
  row["recipients"]["ben@example.org"]["action"] = "quarantine";
  auto past = read_past(then.id, row.dump());
  REQUIRE(past);
  CHECK(past->verdict == "ham");
  CHECK(past->outcomes.at("ben@example.org") == "INBOX");
}

TEST_CASE("a row that tells too little, or nonsense, is an error and no judgement") {
  Then then(kCurious);
  auto whole = then.judged();
  CHECK(read_past(then.id, whole));
  CHECK_FALSE(read_past("ID1", whole));
  for (const char* text : {"", "{}", "[]", "null", R"({"facts":null,"recipients":{}})", R"({"facts":{},"recipients":{"a@b":{}}})",
                           R"({"facts":{},"recipients":{},"ip":"192.0.2.1"})", R"({"facts":7,"recipients":7,"ip":7})"}) {
    INFO(text);
    CHECK_FALSE(read_past(then.id, text));
  }
  for (std::size_t cut = 0; cut < whole.size(); cut += 7) CHECK_FALSE(read_past(then.id, std::string_view(whole).substr(0, cut)));
}

TEST_CASE("facts of another form count as not recorded") {
  auto all = read_recorded(R"({"spf":{"result":"pass","domain":"d","mechanism":"a"},"dkim":[{"domain":"d","selector":"s","result":"pass","bits":2048,"algorithm":"rsa-sha256"}],
    "dmarc":{"result":"pass","policy":"none","published":"reject","domain":"d","dkim_aligned":true},"virus":null,"name":"n","reverse":"confirmed","ptr":"n"})");
  REQUIRE(all);
  CHECK(all->spf->mechanism == "a");
  CHECK(all->dkim->signatures.at(0).bits == 2048);
  CHECK(all->dmarc->published == DmarcPolicy::reject);
  CHECK(all->dmarc->dkim_aligned);
  CHECK(all->virus->state == Virus::State::clean);
  CHECK(all->reputation->reverse == Reputation::Reverse::confirmed);
  auto odd = read_recorded(R"({"spf":{"result":"maybe"},"dkim":[7],"dmarc":[],"virus":{"error":"no rule asked for a scan"},"reverse":9,"asked":{"dns":7,"count":{"x":[]}}})");
  REQUIRE(odd);
  CHECK_FALSE((odd->spf || odd->dkim || odd->dmarc || odd->virus || odd->reputation));
  CHECK(read_recorded(R"({"virus":{"limit":"a bomb"}})")->virus->state == Virus::State::limit);
  CHECK(read_recorded(R"({"virus":{"error":"dead"}})")->virus->problem == "dead");
  CHECK_FALSE(read_recorded("7"));
  FixedClock clock(from_unix(1'800'000'000));
  Counters counters(clock);
  fill(counters, *odd);
  CHECK(counters.size() == 0);
}
