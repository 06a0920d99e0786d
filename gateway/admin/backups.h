#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gateway/admin/context.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/task.h"

namespace postern::admin {

// The last complete backup, for `status` and /metrics; kept in the store.  The main loop's.
struct LastBackup {
  Time moment{};                         // 0: there was none
  std::string folder;
  std::uint64_t octets = 0, new_octets = 0;
  std::chrono::microseconds pause{0};    // for which the store stood still
};

io::Task<Result<LastBackup>> load_last_backup(store::Store& store);

// "backup done": into the store, and into context.last_backup where there is one.
io::Task<nlohmann::json> remember_backup(Context& context, nlohmann::json request, std::chrono::microseconds pause);

}  // namespace postern::admin
