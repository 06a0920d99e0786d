#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"
#include "gateway/store/trace.h"

namespace postern::delivery {

// What no message's commit carries: sessions and recipients that were refused.  They are gathered and written in groups,
// and not at all when somebody makes too many of them, which is counted.  It also forgets: by days and by octets.
// Safe from any thread but where it is said.
class TraceLog {
 public:
  // What waits to be written, at most; and of it for one session.
  static constexpr std::size_t kMostSessions = 2000;
  static constexpr std::size_t kMostEvents = 50;
  // Refusals of a day take no more of max_size than this part of it.
  static constexpr std::uint64_t kShareOfRefusals = 10;

  TraceLog(store::Store& store, config::Trace settings, const Clock& clock = Clock::system()) : store_(store), clock_(clock), settings_(settings) {}

  // How much is there.
  io::Task<Status> load();
  void configure(config::Trace settings);

  // Rows that ride in somebody's commit: for the measure of their day.
  void note(const std::vector<store::Row>& rows);
  // `line`: the session as it is now, with all that it was refused so far; the last one counts.
  void refused(const store::TraceLine& line, store::TraceEvent event);

  // On one loop: writes what waits each second, forgets each hour, until it is cancelled.
  io::Task<void> keep();
  io::Task<void> write_waiting();
  io::Task<void> forget();

  struct Figures {
    std::atomic<std::uint64_t> written{0}, dropped{0};   // events of refusals
  };
  const Figures& figures() const { return figures_; }
  std::uint64_t octets() const;   // of all that is remembered, about

 private:
  struct Waiting {
    store::TraceLine line;
    std::vector<store::TraceEvent> events;
  };
  struct Day {
    std::uint64_t octets = 0;
    std::uint64_t of_refusals = 0;   // since the program was started
    bool changed = false;
  };
  using Days = std::map<std::uint16_t, Day>;

  std::uint16_t today() const { return store::trace_day(clock_.now()); }
  bool has_room() const;   // under the lock
  std::vector<store::Row> rows_of(std::map<std::string, Waiting> waiting);
  std::vector<store::Row> changed_days();
  std::uint16_t first_kept() const;

  store::Store& store_;
  const Clock& clock_;
  Figures figures_;
  mutable std::mutex mutex_;   // guards the rest
  config::Trace settings_;
  std::map<std::string, Waiting> waiting_;   // by session
  Days days_;
  std::uint64_t told_dropped_ = 0;
};

}  // namespace postern::delivery
