// Reverse names, HELO, and DNS lists with their guard.
#include "filters/dns_lists.h"
#include "filters/reputation.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

Reputation reputation_of(std::string_view zone, std::string_view ip) {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_text(zone));
  io::Loop loop;
  return loop.block_on(look_up_reputation(resolver, *IpAddress::parse(ip), in(std::chrono::seconds(5))));
}

struct Lists {
  dns::FixedResolver resolver;
  FixedClock clock{from_unix(1'700'000'000)};
  DnsLists lists;
  io::Loop loop;

  explicit Lists(std::string_view zone, DnsLists::Config config = {}) : lists(clock, config) {
    REQUIRE(resolver.zone().add_text(zone));
  }
  Listing ask(std::string what, std::string zone = "bl.test") {
    return loop.block_on(lists.listed(resolver, std::move(what), std::move(zone), in(std::chrono::seconds(5))));
  }
};

constexpr std::string_view kGood =
    "2.0.0.127.bl.test A 127.0.0.2\n"
    "9.100.51.198.bl.test A 127.0.0.2\n"
    "9.100.51.198.bl.test A 127.0.0.10\n"
    "test.bl.test A 127.0.1.2\n"
    "spam.example.bl.test A 127.0.1.2\n";

}  // namespace

TEST_CASE("a reverse name that leads back to the address is the client's name") {
  auto out = reputation_of("1.2.0.192.in-addr.arpa PTR mail.example\nmail.example A 192.0.2.1\n", "192.0.2.1");
  CHECK(out.reverse == Reputation::Reverse::confirmed);
  CHECK(out.name == "mail.example");
  CHECK(out.ptr == "mail.example");
}

TEST_CASE("the second reverse name may be the one that leads back") {
  auto out = reputation_of(
      "1.2.0.192.in-addr.arpa PTR lie.example\n1.2.0.192.in-addr.arpa PTR mail.example\n"
      "lie.example A 203.0.113.5\nmail.example A 192.0.2.1\n",
      "192.0.2.1");
  CHECK(out.reverse == Reputation::Reverse::confirmed);
  CHECK(out.name == "mail.example");
  CHECK(out.ptr == "lie.example");
}

TEST_CASE("a reverse name that leads elsewhere is not the client's name") {
  auto out = reputation_of("1.2.0.192.in-addr.arpa PTR bank.example\nbank.example A 203.0.113.5\n", "192.0.2.1");
  CHECK(out.reverse == Reputation::Reverse::unconfirmed);
  CHECK(out.name.empty());
  CHECK(out.ptr == "bank.example");
}

TEST_CASE("an address without a reverse name has none") {
  CHECK(reputation_of("example A 192.0.2.9\n", "192.0.2.1").reverse == Reputation::Reverse::none);
}

TEST_CASE("an IPv6 client is confirmed through AAAA") {
  auto address = *IpAddress::parse("2001:db8::25");
  auto out = reputation_of(address.ptr_name() + " PTR six.example\nsix.example AAAA 2001:db8::25\n", "2001:db8::25");
  CHECK(out.reverse == Reputation::Reverse::confirmed);
  CHECK(out.name == "six.example");
}

TEST_CASE("DNS trouble leaves the client's name unknown") {
  for (const char* fault : {"SERVFAIL", "TIMEOUT", "RUBBISH"}) {
    CAPTURE(fault);
    CHECK(reputation_of(std::string("1.2.0.192.in-addr.arpa PTR ") + fault, "192.0.2.1").reverse ==
          Reputation::Reverse::temperror);
    CHECK(reputation_of(std::string("1.2.0.192.in-addr.arpa PTR mail.example\nmail.example A ") + fault, "192.0.2.1")
              .reverse == Reputation::Reverse::temperror);
  }
}

TEST_CASE("only ten reverse names are followed") {
  std::string zone;
  for (int i = 0; i < 10; ++i) zone += "1.2.0.192.in-addr.arpa PTR n" + std::to_string(i) + ".example\n";
  zone += "1.2.0.192.in-addr.arpa PTR right.example\nright.example A 192.0.2.1\n";
  CHECK(reputation_of(zone, "192.0.2.1").reverse == Reputation::Reverse::unconfirmed);
}

TEST_CASE("a list says its codes, sorted") {
  Lists l(kGood);
  Listing out = l.ask("198.51.100.9");
  CHECK(out.listed());
  CHECK(out.codes == std::vector<std::string>{"127.0.0.10", "127.0.0.2"});
  CHECK(l.ask("198.51.100.10").state == Listing::State::not_listed);
  CHECK(l.ask("spam.example").codes == std::vector<std::string>{"127.0.1.2"});
  CHECK(l.ask("ham.example").state == Listing::State::not_listed);
}

TEST_CASE("an address is asked reversed, IPv6 by nibbles") {
  Lists l("", DnsLists::Config{.check_test_points = false});
  l.ask("192.0.2.1");
  l.ask("2001:db8::1");
  CHECK(l.resolver.asked()[0] == "1.2.0.192.bl.test A");
  CHECK(l.resolver.asked()[1] == "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test A");
}

TEST_CASE("what a list uses to say that it does not answer is trouble, never a listing") {
  for (const char* code : {"127.255.255.254", "127.255.255.252", "127.0.0.1", "192.0.2.80"}) {
    CAPTURE(code);
    Lists l(std::string(kGood) + "7.100.51.198.bl.test A " + code);
    Listing out = l.ask("198.51.100.7");
    CHECK(out.state == Listing::State::trouble);
    CHECK(out.problem.find(code) != std::string::npos);
    CHECK(out.codes.empty());
  }
}

TEST_CASE("DNS trouble is trouble of the list") {
  for (const char* fault : {"SERVFAIL", "TIMEOUT", "RUBBISH"}) {
    CAPTURE(fault);
    Lists l(std::string(kGood) + "7.100.51.198.bl.test A " + fault);
    CHECK(l.ask("198.51.100.7").state == Listing::State::trouble);
  }
}

TEST_CASE("a list that lists everything is switched off before it refuses anybody") {
  Lists l("*.bl.test A 127.0.0.2\n");
  Listing out = l.ask("198.51.100.9");
  CHECK(out.state == Listing::State::trouble);
  CHECK(out.problem.find("lists everything") != std::string::npos);
  CHECK(l.lists.states().at(0).off);
  CHECK(l.lists.states().at(0).times_off == 1);
}

TEST_CASE("a list without its test address is switched off") {
  Lists l("9.100.51.198.bl.test A 127.0.0.2\n");
  CHECK(l.ask("198.51.100.9").state == Listing::State::trouble);
  CHECK(l.lists.states().at(0).reason.find("127.0.0.2") != std::string::npos);
}

TEST_CASE("an IPv6 list is proven by its own test points") {
  std::string mapped_prefix = ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test";
  Lists l("1" + mapped_prefix + " A 127.0.0.2\n*.8.b.d.0.1.0.0.2.bl.test A 127.0.0.2\n");
  CHECK(l.ask("2001:db8::1").state == Listing::State::trouble);
}

TEST_CASE("a list without IPv6 entries stays on") {
  Lists l(kGood);
  CHECK(l.ask("2001:db8::1").state == Listing::State::not_listed);
  CHECK(l.ask("198.51.100.9").listed());
}

TEST_CASE("test points are asked once an hour") {
  Lists l(kGood);
  l.ask("198.51.100.9");
  CHECK(l.resolver.asked().size() == 3);
  l.ask("198.51.100.9");
  CHECK(l.resolver.asked().size() == 4);
  l.clock.set(l.clock.now() + std::chrono::hours(1));
  l.ask("198.51.100.9");
  CHECK(l.resolver.asked().size() == 7);
}

TEST_CASE("without test points a list is believed as it is") {
  Lists l("9.100.51.198.bl.test A 127.0.0.2\n", DnsLists::Config{.check_test_points = false});
  CHECK(l.ask("198.51.100.9").listed());
}

TEST_CASE("a list that fails five times in a row is not asked for ten minutes") {
  Lists l("bl.test A 192.0.2.1\n*.bl.test * TIMEOUT\n");
  for (int i = 0; i < 5; ++i) CHECK(l.ask("198.51.100.9").state == Listing::State::trouble);
  CHECK(l.lists.states().at(0).off);
  l.resolver.forget_asked();
  Listing off = l.ask("198.51.100.9");
  CHECK(off.state == Listing::State::trouble);
  CHECK(off.problem.find("switched off") != std::string::npos);
  CHECK(l.resolver.asked().empty());

  l.clock.set(l.clock.now() + std::chrono::minutes(10));
  l.ask("198.51.100.9");  // one try; it fails, and the list is off again
  CHECK_FALSE(l.resolver.asked().empty());
  CHECK(l.lists.states().at(0).off);
  CHECK(l.lists.states().at(0).times_off == 2);
}

TEST_CASE("a list that answers again is used again") {
  Lists l("*.bl.test * SERVFAIL\n");
  for (int i = 0; i < 5; ++i) l.ask("198.51.100.9");
  REQUIRE(l.lists.states().at(0).off);
  l.resolver.zone() = dns::Zone();
  REQUIRE(l.resolver.zone().add_text(kGood));
  l.clock.set(l.clock.now() + std::chrono::minutes(10));
  CHECK(l.ask("198.51.100.9").listed());
  CHECK_FALSE(l.lists.states().at(0).off);
}

TEST_CASE("one list in trouble leaves the others alone") {
  Lists l(std::string(kGood) + "*.dead.test * TIMEOUT\n");
  for (int i = 0; i < 5; ++i) l.ask("198.51.100.9", "dead.test");
  CHECK(l.ask("198.51.100.9", "BL.test.").listed());
  auto states = l.lists.states();
  REQUIRE(states.size() == 2);
  CHECK(states[0].zone == "bl.test");
  CHECK(states[0].listed == 1);
  CHECK(states[1].off);
}

TEST_CASE("lists beyond the bound are asked but not remembered") {
  Lists l("9.100.51.198.a.test A 127.0.0.2\n", DnsLists::Config{.check_test_points = true, .max_lists = 1});
  l.ask("198.51.100.9", "b.test");
  CHECK(l.ask("198.51.100.9", "a.test").listed());
  CHECK(l.lists.states().size() == 1);
}
