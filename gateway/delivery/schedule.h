#pragma once

#include <optional>
#include <vector>

#include "gateway/base/clock.h"

namespace postern::delivery {

// The last moment, not after `now`, at which the local clock showed one of these times: minutes of the day, ascending.
// Nothing where there are none.  A time that the change to summer time leaves out counts when the clock has passed it.
std::optional<Time> last_due(const std::vector<int>& at, Time now);

}  // namespace postern::delivery
