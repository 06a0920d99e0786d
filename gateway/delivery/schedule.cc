// Times of day, as the clock on the wall shows them.
#include "gateway/delivery/schedule.h"

#include <ctime>

namespace postern::delivery {

std::optional<Time> last_due(const std::vector<int>& at, Time now) {
  auto seconds = static_cast<std::time_t>(to_unix(now));
  std::tm local{};
  if (at.empty() || ::localtime_r(&seconds, &local) == nullptr) return std::nullopt;
  std::optional<Time> out;
  for (int days : {0, 1}) {
    for (int minutes : at) {
      std::tm then{};
      then.tm_year = local.tm_year;
      then.tm_mon = local.tm_mon;
      then.tm_mday = local.tm_mday - days;
      then.tm_hour = minutes / 60;
      then.tm_min = minutes % 60;
      then.tm_isdst = -1;
      auto when = from_unix(std::mktime(&then));
      if (when <= now && (!out || when > *out)) out = when;
    }
    if (out) break;
  }
  return out;
}

}  // namespace postern::delivery
