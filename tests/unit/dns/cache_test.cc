// The cache under a clock that the test turns.
#include "gateway/dns/cache.h"

#include <thread>

#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using dns::Type;

namespace {

dns::Answer address(std::uint32_t ttl) {
  dns::Answer out;
  out.status = dns::Status::ok;
  out.ttl = std::chrono::seconds(ttl);
  dns::Record record;
  record.ttl = ttl;
  record.address = *IpAddress::parse("192.0.2.1");
  out.records.push_back(record);
  return out;
}

dns::Answer without(dns::Status status, std::chrono::seconds ttl) {
  dns::Answer out;
  out.status = status;
  out.ttl = ttl;
  return out;
}

const Deadline kStart = Deadline(1000h);

}  // namespace

TEST_CASE("an answer is kept for its TTL, which runs down") {
  dns::Cache cache;
  cache.keep("a.test", Type::a, address(60), kStart);
  auto found = cache.find("a.test", Type::a, kStart + 20s);
  REQUIRE(found.has_value());
  CHECK(found->ttl == 40s);
  CHECK(found->records[0].ttl == 40);
  CHECK_FALSE(cache.find("a.test", Type::aaaa, kStart + 20s).has_value());
  CHECK_FALSE(cache.find("b.test", Type::a, kStart + 20s).has_value());
  CHECK_FALSE(cache.find("a.test", Type::a, kStart + 60s).has_value());
  CHECK(cache.figures().entries == 0);
}

TEST_CASE("an answer without a TTL and a timeout are not kept") {
  dns::Cache cache;
  cache.keep("a.test", Type::a, address(0), kStart);
  cache.keep("b.test", Type::a, without(dns::Status::nxdomain, 0s), kStart);
  cache.keep("c.test", Type::a, without(dns::Status::timeout, 60s), kStart);
  CHECK(cache.figures().entries == 0);
}

TEST_CASE("TTLs are capped: a day, an hour for what does not exist, a second for failures") {
  dns::Cache cache;
  cache.keep("a.test", Type::a, address(0x7fffffff), kStart);
  cache.keep("n.test", Type::a, without(dns::Status::nodata, 100h), kStart);
  cache.keep("f.test", Type::a, without(dns::Status::servfail, 0s), kStart);
  CHECK(cache.find("a.test", Type::a, kStart + 86'399s).has_value());
  CHECK_FALSE(cache.find("a.test", Type::a, kStart + 86'400s).has_value());
  CHECK(cache.find("n.test", Type::a, kStart + 3'599s).has_value());
  CHECK_FALSE(cache.find("n.test", Type::a, kStart + 3'600s).has_value());
  CHECK(cache.find("f.test", Type::a, kStart + 900ms)->status == dns::Status::servfail);
  CHECK_FALSE(cache.find("f.test", Type::a, kStart + 1s).has_value());
}

TEST_CASE("the memory is bounded and what was asked last stays") {
  dns::CacheLimits limits;
  limits.octets = 64 * 1024;
  dns::Cache cache(limits);
  cache.keep("kept.test", Type::a, address(600), kStart);
  for (int i = 0; i < 10'000; ++i) {
    cache.keep(std::to_string(i) + ".test", Type::a, address(600), kStart);
    CHECK(cache.find("kept.test", Type::a, kStart).has_value());
  }
  CHECK(cache.figures().octets <= limits.octets);
  CHECK(cache.figures().entries > 16);
  CHECK_FALSE(cache.find("1.test", Type::a, kStart).has_value());

  dns::Answer giant = address(600);
  giant.records[0].text = std::string(100'000, 'x');
  cache.keep("giant.test", Type::txt, giant, kStart);
  CHECK_FALSE(cache.find("giant.test", Type::txt, kStart).has_value());
}

TEST_CASE("keeping again replaces") {
  dns::Cache cache;
  cache.keep("a.test", Type::a, address(60), kStart);
  cache.keep("a.test", Type::a, without(dns::Status::nodata, 30s), kStart);
  CHECK(cache.find("a.test", Type::a, kStart)->status == dns::Status::nodata);
  CHECK(cache.figures().entries == 1);
  cache.clear();
  CHECK(cache.figures().octets == 0);
}

TEST_CASE("loops share the cache") {
  dns::CacheLimits limits;
  limits.octets = 100'000;
  dns::Cache cache(limits);
  std::vector<std::thread> loops;
  for (int t = 0; t < 4; ++t) {
    loops.emplace_back([&cache] {
      for (int i = 0; i < 5'000; ++i) {
        std::string name = std::to_string(i % 300) + ".test";
        if (!cache.find(name, Type::a, kStart)) cache.keep(name, Type::a, address(60), kStart);
      }
    });
  }
  for (auto& loop : loops) loop.join();
  auto figures = cache.figures();
  CHECK(figures.hits + figures.misses == 20'000);
  CHECK(figures.octets <= limits.octets);
}
