// DMARC: authors, records, discovery, alignment, pct.
#include "filters/dmarc.h"

#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

Spf spf(SpfResult result, std::string domain) {
  Spf out;
  out.result = result;
  out.domain = std::move(domain);
  return out;
}

Dkim dkim(DkimResult result, std::string domain) {
  DkimSignature signature;
  signature.result = result;
  signature.domain = std::move(domain);
  Dkim out;
  out.signatures.push_back(signature);
  return out;
}

struct Check {
  std::string zone;
  std::string from = "example.com";
  Spf spf_fact;
  Dkim dkim_fact;
  unsigned sample = 50;

  Dmarc run() const {
    dns::FixedResolver resolver;
    REQUIRE(resolver.zone().add_text(zone));
    Authors authors;
    std::string rest = from;
    for (std::size_t space; (space = rest.find(' ')) != std::string::npos; rest = rest.substr(space + 1)) authors.domains.push_back(rest.substr(0, space));
    authors.domains.push_back(rest);
    io::Loop loop;
    auto records = loop.block_on(discover_dmarc(resolver, authors.domains, in(std::chrono::seconds(5))));
    return judge_dmarc(authors, records, spf_fact, dkim_fact, sample);
  }
};

Dmarc fail_with(const std::string& record, unsigned sample = 50, const std::string& from = "example.com") {
  Check check;
  check.zone = "_dmarc.example.com TXT " + record;
  check.from = from;
  check.sample = sample;
  return check.run();
}

}  // namespace

TEST_CASE("the author's domain is that of From") {
  struct Case { const char* header; std::vector<std::string> domains; bool problem; };
  const Case cases[] = {
      {"From: a@Example.COM\r\n", {"example.com"}, false},
      {"From: \"x@evil.example\" <a@example.com>\r\n", {"example.com"}, false},
      {"from : Alice (me@nowhere.example)\r\n <a@example.com>\r\n", {"example.com"}, false},
      {"From: a@example.com, b@example.com\r\n", {"example.com"}, false},
      {"From: a@example.com, b@example.org\r\n", {"example.com", "example.org"}, false},
      {"From: a@example.com\r\nSubject: x\r\nFrom: b@example.org\r\n", {"example.com", "example.org"}, false},
      {"From: Doe, John <john@example.com>\r\n", {"example.com"}, false},
      {"From: a@b\xc3\xbc" "cher.example\r\n", {"xn--bcher-kva.example"}, false},
      {"From: friends: a@example.com;\r\n", {"example.com"}, false},
      {"From: a@bank.example, x@a..b\r\n", {"bank.example"}, true},
      {"From: x@a..b, a@bank.example\r\n", {"bank.example"}, true},
      {"From: us: x@a..b, a@bank.example;\r\n", {"bank.example"}, true},
      {"From: a@bank.example\r\nFrom: x@a..b\r\n", {"bank.example"}, true},
      {"From: x@a..b\r\n", {}, true},
      {"From: undisclosed:;\r\n", {}, true},
      {"From: alice\r\n", {}, true},
      {"From: a@[192.0.2.1]\r\n", {}, true},
      {"From: a@exa mple.com\r\n", {}, true},
      {"From: \r\n", {}, true},
      {"Subject: x\r\n", {}, true},
      {"", {}, true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.header);
    Authors out = author_domains(std::string(c.header) + "\r\nFrom: body@example.net\r\n");
    CAPTURE(out.problem);
    if (std::string(c.header) == "From: a@exa mple.com\r\n") {
      // However the address is read, it must not become the domain of somebody else.
      CHECK(std::find(out.domains.begin(), out.domains.end(), "example.com") == out.domains.end());
      continue;
    }
    CHECK(out.domains == c.domains);
    CHECK(out.problem.empty() != c.problem);
  }
}

TEST_CASE("of too many domains or addresses the first are authors, and it is a problem") {
  std::string from = "From: ";
  for (int i = 0; i < 6; ++i) from += "a@d" + std::to_string(i) + ".example, ";
  Authors out = author_domains(from + "\r\n\r\n");
  CHECK(out.domains == std::vector<std::string>{"d0.example", "d1.example", "d2.example", "d3.example", "d4.example"});
  CHECK(out.problem.find("too many domains") != std::string::npos);

  std::string padded = "From: ";
  for (int i = 0; i < 300; ++i) padded += "a@d.example, ";
  out = author_domains(padded + "service@bank.example\r\n\r\n");
  CHECK(out.domains == std::vector<std::string>{"d.example"});
  CHECK(out.problem.find("too many addresses") != std::string::npos);
}

TEST_CASE("a record begins with v=DMARC1 and is read leniently behind it") {
  CHECK_FALSE(parse_dmarc_record(""));
  CHECK_FALSE(parse_dmarc_record("v=spf1 -all"));
  CHECK_FALSE(parse_dmarc_record("v=dmarc1; p=reject"));
  CHECK_FALSE(parse_dmarc_record("v=DMARC10; p=reject"));
  CHECK_FALSE(parse_dmarc_record("p=reject; v=DMARC1"));
  CHECK_FALSE(parse_dmarc_record("v=DMARC1 p=reject"));
  struct Case { const char* text; DmarcPolicy policy; bool sp, strict_dkim, strict_spf; int percent; bool problem; };
  const Case cases[] = {
      {"v=DMARC1; p=reject", DmarcPolicy::reject, false, false, false, 100, false},
      {" v = DMARC1 ;p = Quarantine;", DmarcPolicy::quarantine, false, false, false, 100, false},
      {"v=DMARC1; sp=none; p=reject; adkim=s; aspf=S; pct=20", DmarcPolicy::reject, true, true, true, 20, false},
      {"v=DMARC1; p=reject; pct=101", DmarcPolicy::reject, false, false, false, 100, false},
      {"v=DMARC1; p=reject; pct=-1; adkim=x", DmarcPolicy::reject, false, false, false, 100, false},
      {"v=DMARC1; p=reject; p=none", DmarcPolicy::reject, false, false, false, 100, false},
      {"v=DMARC1; p=reject; rubbish; =; fo=1:d:s; \xff", DmarcPolicy::reject, false, false, false, 100, false},
      {"v=DMARC1; p=rejected", DmarcPolicy::none, false, false, false, 100, true},
      {"v=DMARC1", DmarcPolicy::none, false, false, false, 100, true},
      {"v=DMARC1; p=reject; sp=all", DmarcPolicy::none, false, false, false, 100, true},
      {"v=DMARC1; p=rejected; rua=mailto:d@example.com", DmarcPolicy::none, false, false, false, 100, false},
      {"v=DMARC1; rua=mailto:d@example.com", DmarcPolicy::none, false, false, false, 100, false},
      {"v=DMARC1; p=x; rua=nothing", DmarcPolicy::none, false, false, false, 100, true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    auto record = parse_dmarc_record(c.text);
    REQUIRE(record);
    CHECK(record->policy == c.policy);
    CHECK(record->subdomain_policy.has_value() == c.sp);
    CHECK(record->strict_dkim == c.strict_dkim);
    CHECK(record->strict_spf == c.strict_spf);
    CHECK(record->percent == c.percent);
    CHECK(record->problem.empty() != c.problem);
  }
}

TEST_CASE("the organisational domain is one label below a public suffix") {
  CHECK(organizational_domain("a.b.Example.com") == "example.com");
  CHECK(organizational_domain("a.example.co.uk") == "example.co.uk");
  CHECK(organizational_domain("co.uk") == "co.uk");
  CHECK(organizational_domain("my.mom.za.org") == "mom.za.org");
  CHECK(organizational_domain("a.b.unlisted") == "b.unlisted");
  CHECK(organizational_domain("localhost") == "localhost");
  CHECK(organizational_domain("www.xn--bcher-kva.xn--p1ai") == "xn--bcher-kva.xn--p1ai");
}

TEST_CASE("SPF or DKIM pass only counts when aligned") {
  const std::string relaxed = "_dmarc.example.com TXT v=DMARC1; p=reject";
  const std::string strict = relaxed + "; aspf=s; adkim=s";
  struct Case { const char* domain; bool relaxed, strict; };
  const Case cases[] = {
      {"example.com", true, true}, {"EXAMPLE.com", true, true}, {"mail.example.com", true, false},
      {"example.org", false, false}, {"badexample.com", false, false}, {"com", false, false}, {"", false, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.domain);
    for (bool is_strict : {false, true}) {
      CAPTURE(is_strict);
      Check by_spf, by_dkim;
      by_spf.zone = by_dkim.zone = is_strict ? strict : relaxed;
      by_spf.spf_fact = spf(SpfResult::pass, c.domain);
      by_dkim.dkim_fact = dkim(DkimResult::pass, c.domain);
      bool want = is_strict ? c.strict : c.relaxed;
      Dmarc a = by_spf.run(), b = by_dkim.run();
      CHECK((a.result == DmarcResult::pass) == want);
      CHECK(a.spf_aligned == want);
      CHECK((b.result == DmarcResult::pass) == want);
      CHECK(b.dkim_aligned == want);
      CHECK(name(a.policy) == (want ? "none" : "reject"));
      CHECK(name(a.published) == "reject");
    }
  }
}

TEST_CASE("only a pass is a pass") {
  for (SpfResult result : {SpfResult::none, SpfResult::neutral, SpfResult::fail, SpfResult::softfail, SpfResult::permerror}) {
    Check check{"_dmarc.example.com TXT v=DMARC1; p=reject", "example.com", spf(result, "example.com"), {}};
    CHECK(check.run().result == DmarcResult::fail);
  }
  for (DkimResult result : {DkimResult::fail, DkimResult::policy, DkimResult::neutral, DkimResult::permerror}) {
    Check check{"_dmarc.example.com TXT v=DMARC1; p=reject", "example.com", {}, dkim(result, "example.com")};
    CHECK(check.run().result == DmarcResult::fail);
  }
}

TEST_CASE("an aligned result that is unknown now leaves DMARC unknown, another one does not") {
  const std::string zone = "_dmarc.example.com TXT v=DMARC1; p=reject";
  Check by_spf{zone, "example.com", spf(SpfResult::temperror, "example.com"), {}};
  CHECK(by_spf.run().result == DmarcResult::temperror);
  Check by_dkim{zone, "example.com", {}, dkim(DkimResult::temperror, "example.com")};
  CHECK(by_dkim.run().result == DmarcResult::temperror);
  CHECK(name(by_dkim.run().policy) == "reject");   // so that a rule knows what is at stake
  CHECK(by_dkim.run().record_domain == "example.com");
  Check unaligned{zone, "example.com", spf(SpfResult::temperror, "example.org"), dkim(DkimResult::temperror, "example.org")};
  CHECK(unaligned.run().result == DmarcResult::fail);
  Check other_passes{zone, "example.com", spf(SpfResult::temperror, "example.com"), dkim(DkimResult::pass, "example.com")};
  CHECK(other_passes.run().result == DmarcResult::pass);
}

TEST_CASE("a subdomain without a record has that of its organisational domain, with sp=") {
  Dmarc with_sp = fail_with("v=DMARC1; p=reject; sp=quarantine", 50, "a.b.example.com");
  CHECK(name(with_sp.policy) == "quarantine");
  CHECK(with_sp.record_domain == "example.com");
  CHECK(with_sp.domain == "a.b.example.com");
  CHECK(name(fail_with("v=DMARC1; p=reject", 50, "a.example.com").policy) == "reject");
  CHECK(name(fail_with("v=DMARC1; p=reject; sp=none").policy) == "reject");
  Check own;
  own.zone = "_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=none; sp=reject\n";
  own.from = "a.example.com";
  CHECK(name(own.run().policy) == "none");
}

TEST_CASE("no record, or several, is no policy") {
  CHECK(fail_with("v=spf1 -all").result == DmarcResult::none);
  Check none;
  CHECK(none.run().result == DmarcResult::none);
  CHECK(none.run().record_domain.empty());
  Check several;
  several.zone = "_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.a.example.com TXT v=DMARC1; p=none\n"
                 "_dmarc.example.com TXT v=DMARC1; p=reject\n";
  several.from = "a.example.com";
  CHECK(several.run().result == DmarcResult::none);
  CHECK(several.run().problem.find("several") != std::string::npos);
  Check beside;
  beside.zone = "_dmarc.example.com TXT site-verification\n_dmarc.example.com TXT v=DMARC1; p=reject\n";
  CHECK(beside.run().result == DmarcResult::fail);
}

TEST_CASE("a record without a policy is an error that applies nothing") {
  Dmarc out = fail_with("v=DMARC1; p=often");
  CHECK(out.result == DmarcResult::permerror);
  CHECK(name(out.policy) == "none");
  CHECK(out.problem.find("p=") != std::string::npos);
}

TEST_CASE("DNS trouble leaves DMARC unknown, at the domain and above it") {
  for (const char* fault : {"SERVFAIL", "TIMEOUT", "RUBBISH"}) {
    CAPTURE(fault);
    CHECK(fail_with(fault).result == DmarcResult::temperror);
    CHECK(fail_with(fault, 50, "a.example.com").result == DmarcResult::temperror);
    CHECK(fail_with(fault).record_domain.empty());
  }
}

TEST_CASE("a message outside of pct= gets one step less") {
  CHECK(name(fail_with("v=DMARC1; p=reject; pct=50", 49).policy) == "reject");
  CHECK(name(fail_with("v=DMARC1; p=reject; pct=50", 50).policy) == "quarantine");
  CHECK(name(fail_with("v=DMARC1; p=quarantine; pct=0", 0).policy) == "none");
  CHECK(name(fail_with("v=DMARC1; p=none; pct=0", 0).policy) == "none");
  CHECK(name(fail_with("v=DMARC1; p=reject; pct=100", 99).policy) == "reject");
  CHECK(name(fail_with("v=DMARC1; p=reject; pct=0", 0).published) == "reject");
}

TEST_CASE("the sample is of the message: the same again, others spread") {
  CHECK(dmarc_sample("one message", 1) == dmarc_sample("one message", 1));
  int below = 0;
  for (int i = 0; i < 2000; ++i) {
    unsigned sample = dmarc_sample("Message-ID: <" + std::to_string(i) + "@example.com>", 7);
    REQUIRE(sample < 100);
    below += sample < 30 ? 1 : 0;
  }
  CHECK(below > 500);
  CHECK(below < 700);
}

TEST_CASE("of several authors the strictest outcome counts") {
  Check check;
  check.zone = "_dmarc.a.example TXT v=DMARC1; p=none\n_dmarc.b.example TXT v=DMARC1; p=reject\n";
  check.from = "a.example b.example";
  check.spf_fact = spf(SpfResult::pass, "a.example");
  Dmarc out = check.run();
  CHECK(out.result == DmarcResult::fail);
  CHECK(name(out.policy) == "reject");
  CHECK(out.domain == "b.example");
  check.dkim_fact = dkim(DkimResult::pass, "b.example");
  CHECK(check.run().result == DmarcResult::pass);
}

TEST_CASE("an invalid address beside an author hides no forgery of his, and no pass hides it") {
  for (const char* header : {"From: service@bank.example, x@a..b\r\n\r\n", "From: x@a..b, service@bank.example\r\n\r\n",
                             "From: us: x@a..b, service@bank.example;\r\n\r\n", "From: x@a..b\r\nFrom: service@bank.example\r\n\r\n"}) {
    CAPTURE(header);
    DmarcDiscovery record;
    record.state = DmarcDiscovery::State::found;
    record.author = record.record_domain = "bank.example";
    record.record.policy = DmarcPolicy::reject;
    Authors authors = author_domains(header);
    REQUIRE(authors.domains == std::vector<std::string>{"bank.example"});
    Dmarc forged = judge_dmarc(authors, {record}, {}, {}, 0);
    CHECK(forged.result == DmarcResult::fail);
    CHECK(forged.policy == DmarcPolicy::reject);
    CHECK(forged.domain == "bank.example");
    CHECK(forged.problem == "the domain of From is invalid");

    Dmarc honest = judge_dmarc(authors, {record}, spf(SpfResult::pass, "bank.example"), {}, 0);
    CHECK(honest.result == DmarcResult::permerror);
    CHECK(honest.record_domain.empty());
    CHECK(honest.problem == "the domain of From is invalid");
  }
}

TEST_CASE("without an author DMARC cannot be evaluated") {
  Authors nobody;
  nobody.problem = "there is no From";
  Dmarc out = judge_dmarc(nobody, {}, {}, {}, 0);
  CHECK(out.result == DmarcResult::permerror);
  CHECK(out.problem == "there is no From");
}
