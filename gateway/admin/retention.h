#pragma once

#include <cstdint>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::admin {

struct Expired {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
};

// Removes from all quarantines what is held longer than its class is kept, then, of who holds more than max_octets, what
// is oldest.  What a user put there himself stays.  One log line for each user and reason: event=quarantine.expired.
// In small changes, between which deliveries pass.  An Error if some cannot be read; the rest is done.
io::Task<Result<Expired>> expire_held(store::Store& store, config::Quarantine keep, Time now);

// Does so at start and then again and again, by what `config` says at that moment; until it is cancelled.
io::Task<void> keep_quarantine_short(store::Store& store, const config::Config& config);

}  // namespace postern::admin
