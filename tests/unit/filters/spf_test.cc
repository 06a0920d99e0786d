// check_host(): limits, errors, speculation, and libspf2 beside it.
#include "filters/spf.h"

#include <algorithm>

#include "filters/spf_libspf2.h"
#include "gateway/dns/cares_resolver.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/support/dns_server.h"

using namespace postern;
using namespace postern::filters;
using namespace std::chrono_literals;

namespace {

struct Check {
  explicit Check(std::string_view zone, std::string ip = "192.0.2.10", std::string sender = "joe@example.com", bool speculate = true) {
    auto added = resolver.zone().add_text(zone);
    if (!added) FAIL(added.error().text);
    io::Loop loop;
    SpfOptions options;
    options.speculate = speculate;
    spf = loop.block_on(check_spf(resolver, SpfQuery(*IpAddress::parse(ip), "mx.example.org", std::move(sender), "mx.corp.example"), in(5s), options));
    CHECK_FALSE(spf.libspf2_differs);
  }
  std::string result() const { return std::string(name(spf.result)); }
  std::size_t asked(const std::string& question) const {
    return static_cast<std::size_t>(std::count(resolver.asked().begin(), resolver.asked().end(), question));
  }
  dns::FixedResolver resolver;
  Spf spf;
};

// An include tree of `depth` records, `width` includes each, none of which matches.
std::string include_tree(int depth, int width) {
  std::string out;
  for (int level = 0; level < depth; ++level) {
    out += (level == 0 ? std::string("example.com") : "l" + std::to_string(level) + ".example.com") + " TXT v=spf1";
    for (int i = 0; i < width; ++i) out += " include:l" + std::to_string(level + 1) + ".example.com";
    out += " ?all\n";
  }
  return out + "l" + std::to_string(depth) + ".example.com TXT v=spf1 ?all\n";
}

std::string many(const std::string& before, int count, const std::string& after) {
  std::string out;
  for (int i = 0; i < count; ++i) out += before + std::to_string(i) + after;
  return out;
}

}  // namespace

TEST_CASE("the result names what matched, and nothing is asked that cannot matter") {
  Check check("example.com TXT v=spf1 ip4:192.0.2.0/24 include:_spf.example.net -all");
  CHECK(check.result() == "pass");
  CHECK(check.spf.mechanism == "ip4:192.0.2.0/24");
  CHECK(check.spf.domain == "example.com");
  CHECK(check.resolver.asked() == std::vector<std::string>{"example.com TXT"});
}

TEST_CASE("a fail carries the domain's explanation, cleaned for a reply line") {
  Check check("example.com TXT v=spf1 -all exp=why.%{d}\nwhy.example.com TXT %{i} may not send for %{s} to %{r}", "198.51.100.1", "j\xc3\xb6\r\ne@example.com");
  CHECK(check.result() == "fail");
  CHECK(check.spf.explanation == "198.51.100.1 may not send for j????e@example.com to mx.corp.example");
  Check long_one("example.com TXT v=spf1 -all exp=why.%{d}\nwhy.example.com TXT " + std::string(999, 'x'));
  CHECK(long_one.spf.explanation.size() == 500);
  Check too_long("example.com TXT v=spf1 -all exp=why.%{d}\nwhy.example.com TXT " + std::string(1'001, 'x'));
  CHECK(too_long.result() == "fail");
  CHECK(too_long.spf.explanation.empty());
}

TEST_CASE("%{d} in an explanation is the domain whose record decided") {
  Check check("example.com TXT v=spf1 redirect=_spf.example.net\n_spf.example.net TXT v=spf1 -all exp=why.example.net\nwhy.example.net TXT by %{d}");
  CHECK(check.spf.explanation == "by _spf.example.net");
}

TEST_CASE("senders without a domain that can be asked are none") {
  for (const char* sender : {"joe", "joe@localhost", "joe@[192.0.2.1]", "joe@a..example.com", "joe@", "@", "joe@.example.com"}) {
    Check check("example.com TXT v=spf1 -all", "192.0.2.1", sender);
    CHECK(check.result() == "none");
  }
}

TEST_CASE("the null sender is postmaster at the HELO name, RFC 7208 2.4") {
  Check check("mx.example.org TXT v=spf1 exists:%{l}.%{o}.test -all\npostmaster.mx.example.org.test A 127.0.0.2", "192.0.2.1", "");
  CHECK(check.result() == "pass");
  CHECK(check.spf.domain == "mx.example.org");
}

TEST_CASE("an IPv4-mapped client is an IPv4 client") {
  CHECK(Check("example.com TXT v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1").result() == "pass");
}

TEST_CASE("the tenth term that asks is allowed, the eleventh is permerror, across includes") {
  CHECK(Check("example.com TXT v=spf1" + many(" a:h", 10, ".example.com") + " ?all\n*.example.com A 192.0.2.99").result() == "neutral");
  Check eleven("example.com TXT v=spf1" + many(" a:h", 11, ".example.com") + " ?all\n*.example.com A 192.0.2.99");
  CHECK(eleven.result() == "permerror");
  CHECK(eleven.spf.problem == "more than 10 terms that ask DNS, the eleventh is \"a:h10.example.com\" (RFC 7208 4.6.4)");
  Check tree(include_tree(4, 9));
  CHECK(tree.result() == "permerror");
  CHECK(tree.resolver.asked().size() <= 40);  // libspf2 alone asked 7381 times
}

TEST_CASE("a match before the limit counts") {
  CHECK(Check("example.com TXT v=spf1" + many(" a:h", 10, ".example.com") + " ip4:192.0.2.10 a:more.example.com -all\n*.example.com A 192.0.2.99").result() == "pass");
}

TEST_CASE("records that include or redirect to themselves end") {
  CHECK(Check("example.com TXT v=spf1 include:example.com -all").result() == "permerror");
  CHECK(Check("example.com TXT v=spf1 redirect=example.com").result() == "permerror");
}

TEST_CASE("the third name that does not exist is permerror, speculative questions and %{p} do not count") {
  CHECK(Check("example.com TXT v=spf1 a:n1.example.com mx:n2.example.com ?all").result() == "neutral");
  Check three("example.com TXT v=spf1 a:n1.example.com mx:n2.example.com exists:n3.example.com ?all");
  CHECK(three.result() == "permerror");
  CHECK(three.spf.problem == "more than 2 names that do not exist, the third is n3.example.com (RFC 7208 4.6.4)");
  CHECK(Check("example.com TXT v=spf1 a:n1.example.com a:n2.example.com ip4:192.0.2.10 a:n3.example.com -all").result() == "pass");
  CHECK(Check("example.com TXT v=spf1 a:n1.example.com a:n2.example.com ptr -all exp=n4.example.com").result() == "fail");
}

TEST_CASE("more than ten MX are permerror, more than ten PTR are cut") {
  CHECK(Check("example.com TXT v=spf1 mx ?all\n" + many("example.com MX 10 m", 11, ".example.com\n")).result() == "permerror");
  CHECK(Check("example.com TXT v=spf1 mx ?all\n" + many("example.com MX 10 m", 10, ".example.com\n") + "m9.example.com A 192.0.2.10").result() == "pass");
  Check names("example.com TXT v=spf1 ptr -all\n" + many("10.2.0.192.in-addr.arpa PTR p", 12, ".example.com\n") + "p9.example.com A 192.0.2.10");
  CHECK(names.result() == "pass");
  CHECK(names.asked("p10.example.com A") == 0);
}

TEST_CASE("a null MX matches nothing") { CHECK(Check("example.com TXT v=spf1 mx -all\nexample.com MX 0 .").result() == "fail"); }

TEST_CASE("two SPF records are permerror, other TXT are nobody's business") {
  CHECK(Check("example.com TXT v=spf1 -all\nexample.com TXT v=spf1 +all").result() == "permerror");
  CHECK(Check("example.com TXT v=spf1 -all\nexample.com TXT google-site-verification=x").result() == "fail");
}

TEST_CASE("what DNS does not tell is temperror, and says which name") {
  Check top("example.com TXT SERVFAIL");
  CHECK(top.result() == "temperror");
  CHECK(top.spf.problem == "DNS did not tell TXT of example.com (servfail)");
  Check inner("example.com TXT v=spf1 include:slow.example.com -all\nslow.example.com TXT TIMEOUT");
  CHECK(inner.result() == "temperror");
  CHECK(inner.spf.problem == "DNS did not tell TXT of slow.example.com (timeout)");
  CHECK(Check("example.com TXT v=spf1 a -all\nexample.com A RUBBISH").result() == "temperror");
  CHECK(Check("example.com TXT v=spf1 mx -all\nexample.com MX 1 mx.example.com\nmx.example.com A SERVFAIL").result() == "temperror");
  CHECK(Check("example.com TXT v=spf1 exists:x.example.com -all\nx.example.com * SERVFAIL").result() == "temperror");
  // The owner of the address is to blame, not the sender: RFC 7208 5.5.
  CHECK(Check("example.com TXT v=spf1 ptr -all\n10.2.0.192.in-addr.arpa PTR SERVFAIL").result() == "fail");
}

TEST_CASE("an error behind the match is not met") {
  CHECK(Check("example.com TXT v=spf1 a -all include:slow.example.com\nexample.com A 192.0.2.10\nslow.example.com TXT SERVFAIL").result() == "pass");
}

TEST_CASE("include of a domain without a record is permerror and says so") {
  Check check("example.com TXT v=spf1 include:none.example.com -all");
  CHECK(check.result() == "permerror");
  CHECK(check.spf.problem == "include of none.example.com, which has no SPF record");
  Check broken("example.com TXT v=spf1 include:b.example.com -all\nb.example.com TXT v=spf1 foo");
  CHECK(broken.spf.problem == "SPF record of b.example.com: \"foo\": is no mechanism");
}

TEST_CASE("each question is asked once") {
  Check check("example.com TXT v=spf1 a a:example.com mx exists:example.com -all\nexample.com A 192.0.2.99\nexample.com MX 1 example.com");
  CHECK(check.result() == "pass");
  CHECK(check.asked("example.com A") == 1);
}

TEST_CASE("asking ahead changes no result and saves round trips") {
  auto zone = include_tree(3, 2) + "example.net TXT v=spf1 a:h1.example.net mx include:l1.example.com -all\nexample.net MX 1 h2.example.net\n*.example.net A 192.0.2.50";
  for (const char* ip : {"192.0.2.10", "192.0.2.50", "2001:db8::1"}) {
    for (const char* sender : {"a@example.com", "a@example.net"}) {
      CHECK(Check(zone, ip, sender, true).result() == Check(zone, ip, sender, false).result());
    }
  }
}

TEST_CASE("the deadline ends an evaluation against a silent server, asked ahead or not") {
  test::DnsServer server("example.com TXT v=spf1 a:dead.example.com include:dead2.example.com -all\ndead.example.com * TIMEOUT\ndead2.example.com * TIMEOUT");
  dns::CaresConfig config;
  config.servers = {server.endpoint()};
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  auto begun = std::chrono::steady_clock::now();
  SpfQuery query(*IpAddress::parse("192.0.2.10"), "mx.example.org", "joe@example.com", "mx.corp.example");
  auto spf = loop.block_on(check_spf(resolver, query, in(200ms)));
  CHECK(spf.result == SpfResult::temperror);
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
}

namespace {

io::Task<void> check_and_forget(dns::Resolver& resolver) {
  SpfQuery query(*IpAddress::parse("192.0.2.10"), "mx.example.org", "joe@example.com", "mx.corp.example");
  auto spf = co_await check_spf(resolver, std::move(query), in(5s));
  FAIL("it should be gone: " << name(spf.result));
}

io::Task<void> leave_after(std::chrono::milliseconds wait) { co_await io::sleep_until(in(wait)); }

io::Task<void> check_and_leave(dns::Resolver& resolver) {
  co_await io::first_of(check_and_forget(resolver), leave_after(60ms));
  co_await leave_after(60ms);
}

}  // namespace

TEST_CASE("an evaluation may be cancelled with questions under way") {
  test::DnsServer server("example.com TXT v=spf1 a:dead.example.com include:b.example.com mx -all\ndead.example.com * TIMEOUT\nb.example.com TXT v=spf1 a:dead.example.com -all");
  dns::CaresConfig config;
  config.servers = {server.endpoint()};
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  loop.block_on(check_and_leave(resolver));
  CHECK(server.asked().size() >= 3);
}

TEST_CASE("libspf2 is asked about sane records and agrees") {
  auto before = spf_figures().compared.load();
  Check("example.com TXT v=spf1 include:%{d2}.test mx/24 a:www.example.com exists:%{ir}.list.example ~all\nexample.com.test TXT v=spf1 ip4:203.0.113.0/24 -all\nexample.com MX 10 mx.example.com\nmx.example.com A 192.0.2.200\nwww.example.com A 198.51.100.1");
  Check("example.com TXT v=spf1 a -all\nexample.com AAAA 2001:db8::1", "2001:db8::1");
  Check("example.com TXT v=spf1 ip4:0.0.0.0/0 -all", "203.0.113.9");
  Check("example.com TXT v=spf1 redirect=_spf.example.net\n_spf.example.net TXT v=spf1 ptr:example.org -all\n10.2.0.192.in-addr.arpa PTR a.example.org\na.example.org A 192.0.2.10");
  CHECK(spf_figures().compared - before == 4);
  CHECK(spf_figures().differed == 0);
}

TEST_CASE("what libspf2 gets has no macros, no exp and no /0") {
  MacroValues values;
  values.ip = *IpAddress::parse("192.0.2.3");
  values.local = "joe";
  values.sender_domain = values.domain = "mac.test";
  auto sanitised = [&](const char* record) { return sanitised_record(*parse_spf_record(record), "mac.test", values).value_or("(nothing)"); };
  CHECK(sanitised("v=spf1 include:_spf.%{d2} a mx/24//64 ip4:1.2.3.4/0 ip6:::ffff:1.2.3.4 -all moo=1 exp=x.%{d}") ==
        "v=spf1 +include:_spf.mac.test +a:mac.test/32 +mx:mac.test/24 +ip4:0.0.0.0/1 +ip4:128.0.0.0/1 -all");
  CHECK(sanitised("v=spf1 exists:%{l}.%{d} redirect=%{d}.x.test") == "v=spf1 +exists:joe.mac.test redirect=mac.test.x.test");
  CHECK(sanitised("v=spf1 a:foo:bar/baz.example.com -all") == "(nothing)");
  CHECK(sanitised("v=spf1 a/0 -all") == "(nothing)");
  CHECK(sanitised("v=spf1 exists:%{p}.x.test -all") == "(nothing)");
  CHECK(sanitised(("v=spf1" + many(" ip4:192.0.2.", 65, "")).c_str()) == "(nothing)");
}
