// Mail hosts of a domain, from zones.
#include "gateway/smtp_client/mx.h"

#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace std::chrono_literals;

namespace {

MailHosts find(std::string_view zone, std::string domain, Ourselves us = {}, std::uint64_t random = 0) {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_text(zone));
  io::Loop loop;
  return loop.block_on(find_mail_hosts(resolver, std::move(domain), us, [random] { return random; }, in(5s)));
}

// "10 mx.test 192.0.2.1 2001:db8::1, ..."
std::string shown(const MailHosts& found) {
  std::string out;
  for (const auto& host : found.hosts) {
    out += (out.empty() ? "" : ", ") + std::to_string(host.preference) + " " + host.name;
    for (const auto& address : host.addresses) out += " " + address.to_string();
  }
  return out;
}

// Kind and status.
std::string failed(const MailHosts& found) {
  CHECK(found.hosts.empty());
  CHECK_FALSE(found.failure.reply.text.empty());
  return (found.failure.permanent() ? "permanent " : "transient ") + found.failure.status();
}

constexpr const char* kThree =
    "d.test MX 20 b.test\nd.test MX 10 a.test\nd.test MX 30 c.test\na.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3\n";

}  // namespace

TEST_CASE("mail hosts come by preference") {
  CHECK(shown(find(kThree, "d.test")) == "10 a.test 192.0.2.1, 20 b.test 192.0.2.2, 30 c.test 192.0.2.3");
}

TEST_CASE("hosts of one preference come in any order, those of others stay where they are") {
  const char* zone =
      "d.test MX 5 z.test\nd.test MX 10 a.test\nd.test MX 10 b.test\nd.test MX 20 y.test\n"
      "a.test A 192.0.2.1\nb.test A 192.0.2.2\ny.test A 192.0.2.3\nz.test A 192.0.2.4\n";
  auto zero = shown(find(zone, "d.test", {}, 0));
  auto one = shown(find(zone, "d.test", {}, 1));
  CHECK(zero == "5 z.test 192.0.2.4, 10 b.test 192.0.2.2, 10 a.test 192.0.2.1, 20 y.test 192.0.2.3");
  CHECK(one == "5 z.test 192.0.2.4, 10 a.test 192.0.2.1, 10 b.test 192.0.2.2, 20 y.test 192.0.2.3");
}

TEST_CASE("IPv6 and IPv4 addresses of a host come in turn, IPv6 first") {
  CHECK(shown(find("d.test MX 1 m.test\nm.test A 192.0.2.1\nm.test A 192.0.2.2\nm.test A 192.0.2.3\nm.test AAAA 2001:db8::1\n", "d.test", {}, 5)) ==
        "1 m.test 2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3");
}

TEST_CASE("a domain without MX takes its mail itself") {
  CHECK(shown(find("d.test A 192.0.2.1\nd.test AAAA 2001:db8::1\n", "d.test")) == "0 d.test 2001:db8::1 192.0.2.1");
  CHECK(failed(find("d.test TXT x\n", "d.test")) == "permanent 5.1.2");
  CHECK(failed(find("d.test TXT x\nd.test A SERVFAIL\n", "d.test")) == "transient 4.4.3");
}

TEST_CASE("a null MX and a domain that does not exist are permanent") {
  CHECK(failed(find("d.test MX 0 .\nd.test A 192.0.2.1\n", "d.test")) == "permanent 5.1.10");
  CHECK(failed(find("other.test A 192.0.2.1\n", "d.test")) == "permanent 5.1.2");
}

TEST_CASE("a null MX beside others means nothing") {
  CHECK(shown(find("d.test MX 0 .\nd.test MX 10 a.test\na.test A 192.0.2.1\n", "d.test")) == "10 a.test 192.0.2.1");
}

TEST_CASE("an MX that points to nothing is passed over") {
  CHECK(shown(find("d.test MX 1 gone.test\nd.test MX 2 a.test\na.test A 192.0.2.1\n", "d.test")) == "2 a.test 192.0.2.1");
  CHECK(failed(find("d.test MX 1 gone.test\nd.test A 192.0.2.1\n", "d.test")) == "permanent 5.4.4");
}

TEST_CASE("DNS that does not answer defers, unless another host is known") {
  for (const char* fault : {"SERVFAIL", "TIMEOUT", "RUBBISH"}) {
    auto broken = find("d.test MX " + std::string(fault) + "\nd.test A 192.0.2.1\n", "d.test");
    CHECK(failed(broken) == "transient 4.4.3");
    CHECK(broken.failure.sentence().find("d.test MX") != std::string::npos);
  }
  CHECK(failed(find("d.test MX 1 m.test\nm.test A SERVFAIL\n", "d.test")) == "transient 4.4.3");
  CHECK(failed(find("d.test MX 1 m.test\nd.test MX 2 gone.test\nm.test AAAA TIMEOUT\n", "d.test")) == "transient 4.4.3");
  CHECK(shown(find("d.test MX 1 m.test\nd.test MX 2 b.test\nm.test A SERVFAIL\nb.test A 192.0.2.2\n", "d.test")) == "2 b.test 192.0.2.2");
  CHECK(shown(find("d.test MX 1 m.test\nm.test AAAA SERVFAIL\nm.test A 192.0.2.2\n", "d.test")) == "1 m.test 192.0.2.2");
}

TEST_CASE("aliases are followed, and one that bites its tail defers") {
  CHECK(shown(find("d.test MX 1 m.test\nm.test CNAME n.test\nn.test A 192.0.2.2\n", "d.test")) == "1 m.test 192.0.2.2");
  CHECK(failed(find("d.test CNAME e.test\ne.test CNAME d.test\n", "d.test")) == "transient 4.4.3");
}

TEST_CASE("we and what is not better than we are cut off, by name or by address") {
  Ourselves by_name;
  by_name.names = {"b.test"};
  CHECK(shown(find(kThree, "d.test", by_name)) == "10 a.test 192.0.2.1");
  Ourselves by_address;
  by_address.addresses = {*Network::parse("192.0.2.2")};
  CHECK(shown(find(kThree, "d.test", by_address)) == "10 a.test 192.0.2.1");
  Ourselves equal;
  equal.names = {"b.test"};
  const char* zone = "d.test MX 10 a.test\nd.test MX 20 b.test\nd.test MX 20 c.test\na.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3\n";
  for (std::uint64_t random : {0, 1}) CHECK(shown(find(zone, "d.test", equal, random)) == "10 a.test 192.0.2.1");
}

TEST_CASE("a name of ours that DNS does not know at present is still ours") {
  Ourselves us;
  us.names = {"b.test"};
  CHECK(shown(find("d.test MX 10 a.test\nd.test MX 20 b.test\nd.test MX 30 c.test\na.test A 192.0.2.1\nb.test A SERVFAIL\nc.test A 192.0.2.3\n", "d.test", us)) ==
        "10 a.test 192.0.2.1");
}

TEST_CASE("mail that would only come back to us is permanent") {
  Ourselves us;
  us.names = {"a.test", "d.test"};
  us.addresses = {*Network::parse("192.0.2.9")};
  CHECK(failed(find(kThree, "d.test", us)) == "permanent 5.4.6");
  CHECK(failed(find("d.test A 192.0.2.1\n", "d.test", us)) == "permanent 5.4.6");
  CHECK(failed(find("", "[192.0.2.9]", us)) == "permanent 5.4.6");
}

TEST_CASE("the better hosts of a domain whose backup we are may be away: that defers, it does not loop") {
  Ourselves us;
  us.names = {"b.test"};
  CHECK(failed(find("d.test MX 10 a.test\nd.test MX 20 b.test\na.test A SERVFAIL\nb.test A 192.0.2.2\n", "d.test", us)) == "transient 4.4.3");
}

TEST_CASE("an address literal needs no DNS") {
  CHECK(shown(find("", "[192.0.2.1]")) == "0 [192.0.2.1] 192.0.2.1");
  CHECK(shown(find("", "[IPv6:2001:db8::1]")) == "0 [IPv6:2001:db8::1] 2001:db8::1");
  CHECK(failed(find("", "[rubbish]")) == "permanent 5.1.2");
  CHECK(failed(find("", "[")) == "permanent 5.1.2");
}

TEST_CASE("we are seen also among hosts that are too many to try") {
  std::string zone = "d.test MX 10 us.test\n";
  for (int i = 0; i < 30; ++i) zone += "d.test MX 10 m" + std::to_string(i) + ".test\nm" + std::to_string(i) + ".test A 192.0.2.1\n";
  Ourselves us;
  us.names = {"us.test"};
  CHECK(failed(find(zone, "d.test", us)) == "permanent 5.4.6");
}

TEST_CASE("hosts and addresses are bounded") {
  std::string zone;
  for (int i = 0; i < 50; ++i) {
    auto name = "m" + std::to_string(i) + ".test";
    zone += "d.test MX " + std::to_string(i) + " " + name + "\n";
    for (int k = 1; k < 20; ++k) zone += name + " A 192.0.2." + std::to_string(k) + "\n";
  }
  auto found = find(zone, "d.test");
  CHECK(found.hosts.size() == kMaxHosts);
  CHECK(found.hosts[0].addresses.size() == kMaxAddresses);
  CHECK(found.hosts.back().preference == 19);
}
