// Connection limits and drafts.
#include "gateway/io/draft.h"
#include "gateway/smtp/limits.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp;

namespace {
IpAddress ip(const char* text) { return *IpAddress::parse(text); }
}  // namespace

TEST_CASE("connections of an address are limited, and a place that is left is free again") {
  ConnectionLimits limits({2, 0, 0, std::chrono::milliseconds(60'000)});
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
  ConnectionLimits limits({1, 2, 0, std::chrono::milliseconds(60'000)});
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
  ConnectionLimits limits({0, 0, 5, std::chrono::milliseconds(3'600'000)});
  std::string why;
  for (int i = 0; i < 5; ++i) CHECK(limits.enter(ip("192.0.2.1"), why));
  CHECK_FALSE(limits.enter(ip("192.0.2.1"), why));
  CHECK(limits.enter(ip("192.0.2.9"), why));
}

TEST_CASE("a draft whose folder does not exist fails when it leaves memory, not before") {
  io::Draft draft("/nonexistent/folder");
  CHECK(draft.append(std::string(1000, 'x')));
  auto spilled = draft.append(std::string(io::Draft::kInMemory, 'x'));
  REQUIRE_FALSE(spilled);
  CHECK(spilled.error().text.find("/nonexistent/folder") != std::string::npos);
}
