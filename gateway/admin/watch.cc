// Rules that change, counters that must survive, resources that run out.
#include "gateway/admin/watch.h"

#include <unistd.h>

#include <cstdio>

#include "gateway/admin/judging.h"
#include "gateway/base/log.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"

namespace postern::admin {
namespace {

using namespace std::chrono_literals;
constexpr std::string_view kPrefix = "rule:";

void log_mistakes(const filters::LoadReport& report) {
  for (const auto& mistake : report.mistakes) log::error("rules.mistake", {{"at", mistake.at}, {"what", mistake.what}});
  for (const auto& failed : report.failed_tests) {
    log::error("rules.test", {{"at", failed.mistake.at}, {"test", failed.test}, {"what", failed.mistake.what}});
  }
}

void log_loaded(const filters::LoadReport& report) {
  log::info("rules.loaded", {{"rules", std::to_string(report.rules)}, {"tests", std::to_string(report.tests)}, {"hash", report.hash}});
  if (report.rules == 0) log::warning("rules.none", {{"what", "there is no rule: mail is delivered unjudged"}});
}

std::uint64_t resident_octets() {
  long pages = 0;
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<std::uint64_t>(resident) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string overload_reason(const config::Config& config) {
  bool too_large = config.limits.memory != 0 && resident_octets() > config.limits.memory;
  return too_large ? "Too busy (memory), try again later" : "";
}

// Says once when a service has no room left, and once when it has room again.
class RoomLog {
 public:
  void look(const Room& room) {
    for (auto service : kServices) {
      auto reason = room.reason(service);
      auto& full = full_[static_cast<std::size_t>(service)];
      if (std::exchange(full, !reason.empty()) == !reason.empty()) continue;
      log::warning("overload", {{"service", std::string(name(service))}, {"reason", reason.empty() ? "over" : reason}});
    }
  }

 private:
  std::array<bool, kServices.size()> full_{};
};

}  // namespace

bool load_rules_at_start(filters::RuleSet& rules) {
  auto report = rules.reload();
  log_mistakes(report);
  if (report.good()) log_loaded(report);
  return report.good();
}

std::vector<std::string> reload_rules(filters::RuleSet& rules) {
  auto report = rules.reload();
  log_mistakes(report);
  if (report.good()) {
    log_loaded(report);
  } else {
    log::error("rules.refused", {{"what", report.summary()}, {"now", "the old rules stay in force"}});
  }
  return lines_of(report);
}

io::Task<void> watch_rules(filters::RuleSet& rules, io::WorkerPool& workers) {
  for (;;) {
    co_await io::sleep_until(in(1s));
    auto look = [&rules] {
      if (rules.changed()) reload_rules(rules);
    };
    co_await workers.run(std::move(look));
  }
}

io::Task<Status> load_counters(store::Store& store, filters::Counters& counters) {
  constexpr std::size_t kBatch = 10'000;
  std::string from(kPrefix);
  for (;;) {
    auto rows = co_await store.scan(std::string(kPrefix), from, kBatch);
    if (!rows) co_return rows.error();
    std::vector<filters::Counters::Row> loaded;
    for (auto& row : *rows) loaded.push_back({row.key.substr(kPrefix.size()), std::move(*row.value)});
    counters.load(loaded);
    if (rows->size() < kBatch) co_return Status();
    from = rows->back().key + '\0';
  }
}

io::Task<void> save_counters(store::Store& store, filters::Counters& counters) {
  for (;;) {
    auto changed = counters.changed();
    if (changed.empty()) co_return;
    std::vector<store::Row> rows;
    for (auto& row : changed) {
      store::Row out;
      out.key = std::string(kPrefix) + row.key;
      if (!row.value.empty()) out.value = std::move(row.value);
      rows.push_back(std::move(out));
    }
    auto written = co_await store.write(std::move(rows));
    if (!written.ok()) {
      log::warning("counters.lost", {{"what", written.text}});
      co_return;
    }
  }
}

io::Task<void> keep_counters(store::Store& store, filters::Counters& counters) {
  for (;;) {
    co_await io::sleep_until(in(5s));
    co_await save_counters(store, counters);
  }
}

io::Task<void> watch_health(store::Store& store, Overload& overload, const config::Config& config, const Room& room) {
  std::string said;
  RoomLog room_log;
  bool broken = false;
  for (;;) {
    co_await io::sleep_until(in(1s));
    room_log.look(room);
    auto reason = overload_reason(config);
    if (reason != said) log::warning("overload", {{"reason", reason.empty() ? "over" : reason}});
    said = reason;
    overload.set(std::move(reason));
    auto state = store.state();
    if (!state.writable && !std::exchange(broken, true)) log::error("store.broken", {{"what", state.problem}});
    if (state.writable) broken = false;
    if (broken) {
      bool back = co_await store.recover();
      if (back) log::info("store.recovered");
    }
  }
}

}  // namespace postern::admin
