// Recipients' own lists: whom they hold, whom they let past the spam rules, and what no list lets through.
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using mail::SenderWord;
using smtp::Action;

namespace {

// The shipped rule, and others around it.
std::string rules(const std::string& more) {
  return more + R"(
rule "own-lists" { on = "deliver", check = function(mail, rcpt)
  if rcpt.blocks then return quarantine("your list blocks " .. rcpt.blocks, "policy") end
  if rcpt.allows then return tag("INBOX", "your list allows " .. rcpt.allows), accept("your list allows " .. rcpt.allows) end
end }
rule "own-points" { on = "deliver", check = function(mail, rcpt)
  if mail.score >= 5 then return tag("Junk", "score " .. mail.score) end
end }
)";
}

constexpr const char* kSpam = R"(
rule "spam" { on = "message", check = function(mail) return quarantine("spam by content", "spam") end }
)";

struct Bench : RuleBench {
  explicit Bench(const std::string& more) : RuleBench(rules(more)) {
    recipients.push_back({"ida@example.org", "ida@example.org", {}});
  }
  void say(std::size_t recipient, std::string whom, SenderWord word) {
    recipients[recipient].senders = std::make_shared<const mail::SenderList>(mail::SenderList{{std::move(whom), word}});
  }
  void prove() {
    evidence.dmarc.result = DmarcResult::pass;
    evidence.dmarc.domain = "sender.example";
  }
};

}  // namespace

TEST_CASE("what is held as spam passes to the recipient alone who allows the author") {
  Bench bench(kSpam);
  bench.prove();
  bench.say(1, "anna@sender.example", SenderWord::allow);
  auto verdict = bench.all();
  CHECK(verdict.recipients[0].action == Action::quarantine);
  CHECK(verdict.recipients[0].quarantine_class == "spam");
  CHECK(verdict.recipients[1].action == Action::accept);
  CHECK(verdict.recipients[1].folder == "INBOX");
  CHECK(verdict.verdict == "quarantine");
}

TEST_CASE("a rejection by points reaches nobody who allows the author, and the others' copies are held") {
  Bench bench(R"(
rule "points" { on = "verdict", check = function(mail) return reject "looks too much like spam" end }
)");
  bench.prove();
  CHECK(bench.all().verdict == "reject");
  bench.say(1, "@sender.example", SenderWord::allow);
  auto verdict = bench.all();
  CHECK(verdict.recipients[0].action == Action::quarantine);
  CHECK(verdict.recipients[1].action == Action::accept);
  CHECK(verdict.reply.empty());
}

TEST_CASE("an author whom nothing proves is not allowed") {
  struct {
    const char* what;
    void (*set)(Bench&);
    bool passes;
  } cases[] = {
      {"nothing at all", [](Bench&) {}, false},
      {"DMARC fails", [](Bench& b) { b.prove(); b.evidence.dmarc.result = DmarcResult::fail; }, false},
      {"DMARC cannot be checked", [](Bench& b) { b.prove(); b.evidence.dmarc.result = DmarcResult::temperror; }, false},
      {"DMARC passes", [](Bench& b) { b.prove(); }, true},
      {"SPF of the author's domain", [](Bench& b) { b.evidence.spf.result = SpfResult::pass; b.evidence.spf.domain = "mail.sender.example"; }, true},
      {"SPF of another domain", [](Bench& b) { b.evidence.spf.result = SpfResult::pass; b.evidence.spf.domain = "spammer.example"; }, false},
      {"SPF that fails", [](Bench& b) { b.evidence.spf.result = SpfResult::fail; b.evidence.spf.domain = "sender.example"; }, false},
      {"a signature of the author's domain", [](Bench& b) { DkimSignature s; s.result = DkimResult::pass; s.domain = "sender.example"; b.evidence.dkim.signatures = {s}; }, true},
      {"a signature of another domain", [](Bench& b) { DkimSignature s; s.result = DkimResult::pass; s.domain = "spammer.example"; b.evidence.dkim.signatures = {s}; }, false},
      {"a broken signature", [](Bench& b) { DkimSignature s; s.result = DkimResult::fail; s.domain = "sender.example"; b.evidence.dkim.signatures = {s}; }, false},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Bench bench(kSpam);
    c.set(bench);
    bench.say(1, "anna@sender.example", SenderWord::allow);
    CHECK((bench.all().recipients[1].action == Action::accept) == c.passes);
  }
}

TEST_CASE("two authors, or two From fields, are nobody whom a list allows") {
  for (const char* from : {"From: anna@sender.example, eve@sender.example\r\n", "From: anna@sender.example\r\nFrom: eve@spammer.example\r\n"}) {
    Bench bench(kSpam);
    bench.prove();
    bench.say(1, "anna@sender.example", SenderWord::allow);
    CHECK(bench.all(std::string(from) + "Subject: x\r\n\r\nBody\r\n").recipients[1].action == Action::quarantine);
  }
}

TEST_CASE("no list lets through what is not spam alone, whichever rule says it and wherever it stands") {
  struct {
    const char* rules;
    Action action;
    const char* quarantine_class;
  } cases[] = {
      {R"(rule "a" { on = "message", required = true, check = function(mail) return quarantine("held by law", "spam") end })", Action::quarantine, "spam"},
      {R"(rule "a" { on = "message", check = function(mail) return quarantine("virus X", "virus") end })", Action::quarantine, "virus"},
      {R"(rule "a" { on = "message", check = function(mail) return reject "never" end })", Action::reject, ""},
      // Behind the decision that it is spam:
      {R"(rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
          rule "p" { on = "message", check = function(mail) return quarantine("a program", "policy") end })", Action::quarantine, "policy"},
      {R"(rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
          rule "p" { on = "message", check = function(mail) return score(1, "x") end }
          rule "r" { on = "message", check = function(mail) return reject "never" end })", Action::quarantine, "policy"},
      {R"(rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
          rule "v" { on = "verdict", check = function(mail) return quarantine("together too much", "policy") end })", Action::quarantine, "policy"},
      {R"(rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
          rule "e" { on = "verdict", check = function(mail) return quarantine(mail.sender.nothing) end })", Action::quarantine, "policy"},
      {R"(rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
          rule "d" { on = "deliver", required = true, check = function(mail) return quarantine("ours to say", "policy") end })", Action::quarantine, "spam"},
  };
  for (const auto& c : cases) {
    INFO(c.rules);
    Bench bench(c.rules);
    bench.prove();
    bench.say(1, "anna@sender.example", SenderWord::allow);
    auto verdict = bench.all();
    CHECK(verdict.recipients[1].action == c.action);
    if (c.action == Action::quarantine) CHECK(verdict.recipients[1].quarantine_class == c.quarantine_class);
  }
}

TEST_CASE("one who allows hears the error of a rule behind the decision as everybody would") {
  Bench bench(R"(
rule "s" { on = "message", check = function(mail) return quarantine("spam", "spam") end }
rule "t" { on = "message", check = function(mail) return score(mail.sender.nothing, "x") end }
)");
  bench.recipients.pop_back();
  bench.prove();
  bench.say(0, "anna@sender.example", SenderWord::allow);
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.error);
  // As a message whose rules fail for long: held, never waved through.
  bench.clock.set(bench.clock.now() + std::chrono::minutes(20));
  verdict = bench.all();
  CHECK(verdict.verdict == "quarantine");
  CHECK(verdict.recipients[0].quarantine_class == "policy");
}

TEST_CASE("a message of which an earlier stage failed for long is held for who allows its author as well") {
  Bench bench(std::string(kSpam) + R"(
rule "typo" { on = "mail", check = function(mail) return reject(mail.sender.nothing) end }
)");
  bench.prove();
  bench.say(1, "anna@sender.example", SenderWord::allow);
  CHECK(bench.connect().action == Action::none);
  CHECK(bench.mail().action == Action::defer);
  bench.clock.set(bench.clock.now() + std::chrono::minutes(20));
  for (const auto& copy : bench.all().recipients) CHECK(copy.action == Action::quarantine);
}

TEST_CASE("junk by points lies in the INBOX of who allows the author") {
  Bench bench(R"(rule "s" { on = "message", check = function(mail) return score(6, "x") end })");
  bench.prove();
  bench.say(1, "anna@sender.example", SenderWord::allow);
  auto verdict = bench.all();
  CHECK(verdict.recipients[0].folder == "Junk");
  CHECK(verdict.recipients[1].folder == "INBOX");
}

TEST_CASE("a blocked author or envelope sender is held for that recipient, proved or not") {
  for (const char* entry : {"anna@sender.example", "@sender.example", "bounce@lists.example"}) {
    INFO(entry);
    Bench bench("");
    bench.sender.address = "Bounce@lists.example";
    bench.say(0, entry, SenderWord::block);
    auto verdict = bench.all();
    CHECK(verdict.recipients[0].action == Action::quarantine);
    CHECK(verdict.recipients[0].quarantine_class == "policy");
    CHECK(verdict.recipients[1].action == Action::accept);
    REQUIRE(verdict.hits.size() == 1);
    CHECK(verdict.hits[0].why == std::string("your list blocks ") + entry);
  }
}

TEST_CASE("what the author says of himself counts before the envelope, if he is proved") {
  Bench bench("");
  bench.sender.address = "bounce@lists.example";
  bench.recipients[0].senders = std::make_shared<const mail::SenderList>(
      mail::SenderList{{"anna@sender.example", SenderWord::allow}, {"@lists.example", SenderWord::block}});
  CHECK(bench.all().recipients[0].action == Action::quarantine);
  bench.prove();
  CHECK(bench.all().recipients[0].action == Action::accept);
}

TEST_CASE("at stage rcpt the lists cannot be asked, and the error says where they can") {
  RuleBench bench(R"(rule "r" { on = "rcpt", check = function(mail, rcpt) if rcpt.blocks then return reject "no" end end })");
  bench.connect();
  bench.mail();
  auto decision = bench.rcpt();
  CHECK(decision.error);
  CHECK(decision.why == "rcpt.blocks is not known at stage rcpt: the message comes later, use on = \"deliver\"");
}
