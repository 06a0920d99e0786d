#pragma once

#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace postern::admin {

// "7d", "12h", "30m": so long before `now`.  "2026-12-01", "2026-12-01 15:04", "2026-12-01T15:04:05", with "Z": that time, in
// UTC.  An Error says how one writes it.
Result<Time> parse_moment(std::string_view text, Time now);

}  // namespace postern::admin
