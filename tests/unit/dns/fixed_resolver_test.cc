// Zones in text and the resolver of rehearsals.
#include "gateway/dns/fixed_resolver.h"

#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using dns::Type;

namespace {

dns::Answer ask(dns::FixedResolver& resolver, std::string name, Type type) {
  io::Loop loop;
  return loop.block_on(resolver.query(std::move(name), type, in(1s)));
}

}  // namespace

TEST_CASE("a rule test's entries answer, everything else does not exist") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.add("9.100.51.198.Zen.example A", "127.0.0.2"));
  REQUIRE(resolver.add("9.100.51.198.zen.example A", "127.0.0.4"));
  REQUIRE(resolver.add("b.test mx", "0 ."));
  REQUIRE(resolver.add("slow.test A", "TIMEOUT"));
  REQUIRE(resolver.add("broken.test *", "SERVFAIL"));
  REQUIRE(resolver.add("broken.test TXT", "but this one works"));
  CHECK(ask(resolver, "9.100.51.198.zen.EXAMPLE.", Type::a).records.size() == 2);
  CHECK(ask(resolver, "9.100.51.198.zen.example", Type::txt).status == dns::Status::nodata);
  CHECK(ask(resolver, "zen.example", Type::a).status == dns::Status::nodata);
  CHECK(ask(resolver, "other.example", Type::a).status == dns::Status::nxdomain);
  CHECK(ask(resolver, "b.test", Type::mx).records.at(0).text.empty());
  CHECK(ask(resolver, "slow.test", Type::a).status == dns::Status::timeout);
  CHECK(ask(resolver, "broken.test", Type::a).status == dns::Status::servfail);
  CHECK(ask(resolver, "broken.test", Type::txt).records.at(0).text == "but this one works");
  CHECK(resolver.asked().back() == "broken.test TXT");
}

TEST_CASE("a mistake in an entry is said in words") {
  dns::FixedResolver resolver;
  CHECK(resolver.add("just-a-name", "x").error().text == "a DNS entry's key is \"name TYPE\", not \"just-a-name\"");
  CHECK(resolver.add("a.test AXFR", "x").error().text == "unknown DNS type (A AAAA CNAME MX NS PTR SOA TLSA TXT or *): \"a.test AXFR x\"");
  CHECK(resolver.add("a.test A", "1.2.3").error().text == "the value does not fit its DNS type: \"a.test A 1.2.3\"");
  CHECK(resolver.add("a.test AAAA", "1.2.3.4").error().text == "the value does not fit its DNS type: \"a.test AAAA 1.2.3.4\"");
  CHECK_FALSE(resolver.add("a..test A", "1.2.3.4").has_value());
  CHECK_FALSE(resolver.add("a.test MX", "mail.test").has_value());
  CHECK_FALSE(resolver.add("a.test *", "1.2.3.4").has_value());
  CHECK_FALSE(resolver.zone().add_line("a.test A").has_value());
}

TEST_CASE("CNAMEs are followed and a loop of them is servfail") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_text("a.test CNAME b.test\nb.test 20 CNAME c.test\nc.test 600 A 192.0.2.1\nl.test CNAME l.test\nd.test CNAME nowhere.test\n"));
  auto answer = ask(resolver, "a.test", Type::a);
  REQUIRE(answer.ok());
  CHECK(answer.ttl == 20s);
  CHECK(ask(resolver, "a.test", Type::cname).records.at(0).text == "b.test");
  CHECK(ask(resolver, "l.test", Type::a).status == dns::Status::servfail);
  CHECK(ask(resolver, "d.test", Type::a).status == dns::Status::nxdomain);
}

TEST_CASE("a wildcard stands for names that do not exist, RFC 4592") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_text("*.w.test A 192.0.2.1\nx.w.test TXT here\na.b.w.test TXT there"));
  CHECK(ask(resolver, "one.w.test", Type::a).ok());
  CHECK(ask(resolver, "two.one.w.test", Type::a).ok());
  CHECK(ask(resolver, "x.w.test", Type::a).status == dns::Status::nodata);
  CHECK(ask(resolver, "b.w.test", Type::a).status == dns::Status::nodata);
  CHECK(ask(resolver, "c.b.w.test", Type::a).status == dns::Status::nxdomain);
}
