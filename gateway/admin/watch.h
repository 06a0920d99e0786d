#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "filters/counters.h"
#include "filters/rule_set.h"
#include "gateway/admin/room.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

// What the gateway looks after by itself while it runs.  Each task runs until it is cancelled.
namespace postern::admin {

// Why nothing more is accepted, or "".  Safe from any thread.
class Overload {
 public:
  std::string reason() const {
    std::lock_guard lock(mutex_);
    return reason_;
  }
  void set(std::string reason) {
    std::lock_guard lock(mutex_);
    reason_ = std::move(reason);
  }

 private:
  mutable std::mutex mutex_;
  std::string reason_;
};

// Loads the rules; false after their mistakes were logged.  Blocks.
bool load_rules_at_start(filters::RuleSet& rules);
// Loads them anew and logs how it went; the old ones stay if it failed: gives the mistakes.  Blocks: on a worker.
std::vector<std::string> reload_rules(filters::RuleSet& rules);
// Looks every second whether a rule file changed.
io::Task<void> watch_rules(filters::RuleSet& rules, io::WorkerPool& workers);

// What rules count and remember, kept in the store under "rule:".
// An Error of loading: some cannot be read; to go on would write fewer over them.
io::Task<Status> load_counters(store::Store& store, filters::Counters& counters);
io::Task<void> save_counters(store::Store& store, filters::Counters& counters);
io::Task<void> keep_counters(store::Store& store, filters::Counters& counters);

// Memory and the disk: sets the overload's reason, brings the store back after a failure.  Logs when `room` is used up.
io::Task<void> watch_health(store::Store& store, Overload& overload, const config::Config& config, const Room& room);

}  // namespace postern::admin
