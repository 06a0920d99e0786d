// What is counted for RFC 8460, and how it is kept.
#include "gateway/delivery/tls_results.h"

#include <nlohmann/json.hpp>

#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::delivery;
using nlohmann::json;
using Type = TlsPolicyFound::Type;

namespace {

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  FixedClock clock{from_unix(1'796'000'000)};   // 2026-11-30
  std::unique_ptr<TlsResults> results = std::make_unique<TlsResults>(clock);
  TlsPolicyFound sts{Type::sts, {"version: STSv1", "mode: enforce"}, {"mx.far.test"}};

  std::vector<json> reports(const char* day) {
    loop.block_on(results->save(store));
    auto found = loop.block_on(tls_reports(store, day, "gate.test", "postmaster@gate.test"));
    std::vector<json> out;
    for (const auto& text : *found) out.push_back(json::parse(text));
    return out;
  }
};

io::Task<void> turn() { co_await io::sleep_until(in(std::chrono::milliseconds(20))); }

const TlsFailure kExpired{"certificate-expired", "mx.far.test", "192.0.2.1", "it has ended"};

}  // namespace

TEST_CASE("a day's sessions with a domain become one report as RFC 8460 has it") {
  World w;
  w.results->note("far.test", w.sts, std::nullopt);
  w.results->note("far.test", w.sts, std::nullopt);
  w.results->note("far.test", w.sts, kExpired);
  w.results->note("far.test", w.sts, kExpired);
  w.results->note("far.test", w.sts, TlsFailure{"starttls-not-supported", "mx.far.test", "192.0.2.1", ""});
  w.results->note("far.test", {}, std::nullopt);
  w.results->note("other.test", {}, std::nullopt);
  auto reports = w.reports("2026-11-30");
  REQUIRE(reports.size() == 2);
  const auto& report = reports[0];
  CHECK(report["organization-name"] == "gate.test");
  CHECK(report["date-range"] == json{{"start-datetime", "2026-11-30T00:00:00Z"}, {"end-datetime", "2026-11-30T23:59:59Z"}});
  CHECK(report["contact-info"] == "postmaster@gate.test");
  CHECK(report["report-id"] == "2026-11-30.far.test@gate.test");
  REQUIRE(report["policies"].size() == 2);
  json sts;
  for (const auto& each : report["policies"]) {
    if (each["policy"]["policy-type"] == "sts") sts = each;
  }
  CHECK(sts["policy"]["policy-domain"] == "far.test");
  CHECK(sts["policy"]["policy-string"] == json{"version: STSv1", "mode: enforce"});
  CHECK(sts["policy"]["mx-host"] == json{"mx.far.test"});
  CHECK(sts["summary"] == json{{"total-successful-session-count", 2}, {"total-failure-session-count", 3}});
  REQUIRE(sts["failure-details"].size() == 2);
  CHECK(sts["failure-details"][0] == json{{"result-type", "certificate-expired"}, {"receiving-mx-hostname", "mx.far.test"},
                                          {"receiving-ip", "192.0.2.1"}, {"failed-session-count", 2}, {"failure-reason-code", "it has ended"}});
  CHECK(w.results->total(Type::sts, true) == 3);
  CHECK(w.results->total(Type::sts, false) == 2);
  CHECK(w.results->total(Type::none, false) == 2);
}

TEST_CASE("a restart goes on counting, and another day begins anew") {
  World w;
  w.results->note("far.test", w.sts, kExpired);
  w.loop.block_on(w.results->save(w.store));
  w.results = std::make_unique<TlsResults>(w.clock);
  w.loop.spawn(w.results->keep(w.store), "tlsrpt");   // reads first
  w.loop.block_on(turn());
  w.results->note("far.test", w.sts, kExpired);
  auto today = w.reports("2026-11-30");
  CHECK(today.at(0)["policies"][0]["summary"]["total-failure-session-count"] == 2);
  CHECK(today.at(0)["policies"][0]["failure-details"].size() == 1);
  w.clock.set(w.clock.now() + std::chrono::hours(24));
  w.results->note("far.test", w.sts, std::nullopt);
  CHECK(w.reports("2026-12-01").at(0)["policies"][0]["summary"]["total-failure-session-count"] == 0);
  CHECK(w.reports("2026-11-30").size() == 1);
  w.loop.end_tasks();
}

TEST_CASE("there is an end to what is kept of a day and of a domain") {
  World w;
  for (int i = 0; i < 6000; ++i) w.results->note("d" + std::to_string(i) + ".test", {}, std::nullopt);
  auto many = kExpired;
  for (int i = 0; i < 200; ++i) {
    many.ip = "192.0.2." + std::to_string(i);
    w.results->note("d0.test", {}, many);
  }
  CHECK(w.reports("2026-11-30").size() == 5000);
  auto row = json::parse(w.store.general.at("tlsrpt:2026-11-30:d0.test:no-policy-found"));
  CHECK(row["failure-details"].size() == 50);
  CHECK(row["summary"]["total-failure-session-count"] == 200);
  CHECK(w.results->total(Type::none, false) == 6000);
}

TEST_CASE("what could not be written is written later") {
  World w;
  w.results->note("far.test", w.sts, std::nullopt);
  w.store.fail_with = store::Outcome::no_space;
  w.loop.block_on(w.results->save(w.store));
  CHECK(w.store.general.empty());
  w.store.fail_with = store::Outcome::done;
  CHECK(w.reports("2026-11-30").size() == 1);
}
