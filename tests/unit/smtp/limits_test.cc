// Connection limits and drafts.
#include "gateway/io/draft.h"
#include "gateway/smtp/limits.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp;

namespace {
IpAddress ip(const char* text) { return *IpAddress::parse(text); }

LimitSettings settings(std::uint64_t per_address, std::uint64_t per_network) {
  LimitSettings out;
  out.connections_per_address = per_address;
  out.connections_per_network = per_network;
  out.connection_rate_per_address = {};
  return out;
}
}  // namespace

TEST_CASE("connections of an address are limited, and a place that is left is free again") {
  ConnectionLimits limits(settings(2, 0));
  std::string why;
  auto a = limits.enter(ip("192.0.2.1"), why);
  auto b = limits.enter(ip("192.0.2.1"), why);
  CHECK((a && b));
  CHECK_FALSE(limits.enter(ip("192.0.2.1"), why));
  CHECK(why == "Too many connections from 192.0.2.1");
  CHECK(limits.enter(ip("192.0.2.2"), why));
  a = {};
  CHECK(limits.enter(ip("192.0.2.1"), why));
}

TEST_CASE("a network is a /24, and IPv6 addresses of one /64 count as one") {
  ConnectionLimits limits(settings(1, 2));
  std::string why;
  auto a = limits.enter(ip("192.0.2.1"), why);
  auto b = limits.enter(ip("192.0.2.2"), why);
  CHECK_FALSE(limits.enter(ip("192.0.2.3"), why));
  CHECK(why == "Too many connections from 192.0.2.0/24");
  auto c = limits.enter(ip("2001:db8::1"), why);
  CHECK(c);
  CHECK_FALSE(limits.enter(ip("2001:db8::2"), why));
}

TEST_CASE("connecting too often is refused") {
  auto five = settings(0, 0);
  five.connection_rate_per_address = {5, std::chrono::hours(1)};
  ConnectionLimits limits(five);
  std::string why;
  for (int i = 0; i < 5; ++i) CHECK(limits.enter(ip("192.0.2.1"), why));
  CHECK_FALSE(limits.enter(ip("192.0.2.1"), why));
  CHECK(limits.enter(ip("192.0.2.9"), why));
}

TEST_CASE("errors of an address and of its network keep the next connection out") {
  auto few = settings(0, 0);
  few.error_rate_per_address = {3, std::chrono::hours(1)};
  few.error_rate_per_network = {5, std::chrono::hours(1)};
  ConnectionLimits limits(few);
  std::string why;
  for (int i = 0; i < 3; ++i) CHECK(limits.error(ip("192.0.2.1")));
  CHECK(limits.enter(ip("192.0.2.1"), why));
  CHECK_FALSE(limits.error(ip("192.0.2.1")));
  CHECK_FALSE(limits.enter(ip("192.0.2.1"), why));
  CHECK(why == "Too many errors lately from 192.0.2.1");
  CHECK(limits.enter(ip("192.0.2.2"), why));
  CHECK(limits.error(ip("192.0.2.2")));
  CHECK_FALSE(limits.error(ip("192.0.2.2")));
  CHECK_FALSE(limits.enter(ip("192.0.2.3"), why));
  CHECK(why == "Too many errors lately from 192.0.2.0/24");
  CHECK(limits.enter(ip("198.51.100.1"), why));
}

TEST_CASE("recipients of an address and of its network are counted, and forgotten with their window") {
  auto few = settings(0, 0);
  few.recipient_rate_per_address = {2, std::chrono::hours(1)};
  few.recipient_rate_per_network = {3, std::chrono::hours(1)};
  ConnectionLimits limits(few);
  CHECK(limits.recipient(ip("192.0.2.1")));
  CHECK(limits.recipient(ip("192.0.2.1")));
  CHECK_FALSE(limits.recipient(ip("192.0.2.1")));
  CHECK_FALSE(limits.recipient(ip("192.0.2.2")));   // the fourth of the network
  Rates rates;
  RateLimit limit{2, std::chrono::seconds(10)};
  Rates::Instant start{};
  for (int i = 0; i < 3; ++i) rates.add(ip("192.0.2.1"), limit, start);
  CHECK(rates.over(ip("192.0.2.1"), limit, start));
  CHECK(rates.over(ip("192.0.2.1"), limit, start + std::chrono::seconds(12)));
  CHECK_FALSE(rates.over(ip("192.0.2.1"), limit, start + std::chrono::seconds(15)));
  rates.add(ip("192.0.2.1"), limit, start + std::chrono::seconds(15));
  CHECK(rates.over(ip("192.0.2.1"), limit, start + std::chrono::seconds(15)));   // 1, and the 3 before
  CHECK_FALSE(rates.over(ip("192.0.2.1"), limit, start + std::chrono::seconds(23)));
}

TEST_CASE("a draft whose folder does not exist fails when it leaves memory, not before") {
  io::Draft draft("/nonexistent/folder");
  CHECK(draft.append(std::string(1000, 'x')));
  auto spilled = draft.append(std::string(io::Draft::kInMemory, 'x'));
  REQUIRE_FALSE(spilled);
  CHECK(spilled.error().text.find("/nonexistent/folder") != std::string::npos);
}
