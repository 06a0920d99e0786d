#pragma once

#include <optional>
#include <string_view>

#include "gateway/base/clock.h"

namespace postern::mail {

// A date-time as it stands in Date and behind the last ";" of Received.  RFC 5322 3.3, obsolete forms 4.3.
struct WrittenDate {
  Time when{};
  int zone_minutes = 0;         // east of Greenwich; 0 where the zone says nothing
  bool zone_known = false;      // false: none, "-0000", or letters that name no zone
  bool zone_possible = true;    // false: beyond 14 hours, or minutes above 59; then it is counted as 0
  bool weekday_right = true;    // false: one is written and the day was another
  bool proper = true;           // false: readable, but not by the grammar of RFC 5322 3.3
};

// Reads what senders write: comments, a missing weekday, two-digit years, names of zones, ANSI C order ("Tue Nov 24
// 03:59:02 2026").  nullopt: no day or time of day can be read, or there is no such day.  `raw` may be folded; of more than
// 256 octets the beginning is read.
std::optional<WrittenDate> parse_date(std::string_view raw);

}  // namespace postern::mail
