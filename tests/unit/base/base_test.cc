// base: text, addresses, dates, log lines.
#include <set>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;

TEST_CASE("base64 goes both ways and refuses what is not strict") {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) CHECK(from_base64(base64(text)) == text);
  CHECK(base64("foobar") == "Zm9vYmFy");
  for (std::string bad : {"Zg", "Zg=", "Zm9v\r\n", "Z===", "Zm 9v", "====", "Zg==Zg=="}) {
    INFO(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

TEST_CASE("sizes and times are read with their units") {
  CHECK(parse_octets("50MB") == 50ULL << 20);
  CHECK(parse_octets("256 KiB") == 256ULL << 10);
  CHECK(parse_octets("17") == 17U);
  CHECK_FALSE(parse_octets("5 parsecs"));
  CHECK_FALSE(parse_octets("99999999999999GB"));
  CHECK(parse_milliseconds("5s") == 5000);
  CHECK(parse_milliseconds("7d") == 7LL * 86'400'000);
  CHECK_FALSE(parse_milliseconds("5"));
}

TEST_CASE("UTF-8 is checked to the last trap") {
  CHECK(is_utf8("Ti\xe1\xba\xbfng Vi\xe1\xbb\x87t"));
  for (std::string bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe1\xba", "\x80", "\xff"}) {
    INFO(hex(bad));
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("addresses are read and written in one form") {
  CHECK(IpAddress::parse("192.0.2.1")->reversed() == "1.2.0.192");
  CHECK(IpAddress::parse("::ffff:192.0.2.1")->is_v4());
  CHECK(IpAddress::parse("2001:DB8::1")->to_string() == "2001:db8::1");
  CHECK(IpAddress::parse("2001:db8::1")->literal() == "[IPv6:2001:db8::1]");
  CHECK(IpAddress::parse("2001:db8::567:89ab")->ptr_name() ==
        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  for (std::string bad : {"", "1.2.3", "256.1.1.1", "1.2.3.4/8", "::1%eth0", "[::1]", "01.2.3.4567"}) {
    INFO(bad);
    CHECK_FALSE(IpAddress::parse(bad));
  }
}

TEST_CASE("a network contains its addresses and no others") {
  auto network = *Network::parse("10.1.0.0/15");
  CHECK(network.contains(*IpAddress::parse("10.0.255.1")));
  CHECK_FALSE(network.contains(*IpAddress::parse("10.2.0.0")));
  CHECK_FALSE(network.contains(*IpAddress::parse("::1")));
  CHECK(Network::parse("2001:db8::/32")->contains(*IpAddress::parse("2001:db8:ffff::1")));
  CHECK(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("255.1.2.3")));
  CHECK_FALSE(Network::parse("10.0.0.0/33"));
}

TEST_CASE("endpoints need a port unless there is a default") {
  CHECK(Endpoint::parse("[::]:25")->port == 25);
  CHECK(Endpoint::parse("127.0.0.1:2525")->to_string() == "127.0.0.1:2525");
  CHECK(Endpoint::parse("::1", 53)->to_string() == "[::1]:53");
  CHECK_FALSE(Endpoint::parse("127.0.0.1"));
  CHECK_FALSE(Endpoint::parse("[::1]25"));
  CHECK_FALSE(Endpoint::parse("127.0.0.1:65536"));
}

TEST_CASE("dates have the RFC's form") {
  auto time = from_unix(1'795'492'742);
  CHECK(rfc5322_date(time) == "Tue, 24 Nov 2026 03:59:02 +0000");
  CHECK(imap_date_time(time) == "24-Nov-2026 03:59:02 +0000");
  CHECK(rfc3339(time) == "2026-11-24T03:59:02Z");
}

TEST_CASE("a log value cannot forge another field or line") {
  auto line = log::line(log::Level::info, "x", {{"a", "b c=\"d\"\nlevel=error"}, {"e", ""}});
  CHECK(line.find("a=\"b c=\\\"d\\\"\\x0alevel=error\" e=\"\"") != std::string::npos);
  CHECK(line.find('\n') == std::string::npos);
}

TEST_CASE("ids are unique and ascend over time") {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(new_id());
  CHECK(ids.size() == 10'000);
  CHECK(ids.begin()->size() == 13);
}

TEST_CASE("a mistyped key finds its neighbour") {
  CHECK(nearest("hostnme", {"hostname", "data", "rules"}) == "hostname");
  CHECK(nearest("smpt", {"dns", "smtp", "imap"}) == "smtp");
  CHECK(nearest("xyzzy", {"hostname", "data", "rules"}).empty());
}
