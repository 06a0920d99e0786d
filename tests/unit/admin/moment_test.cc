// Moments on the command line.
#include "gateway/admin/moment.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

TEST_CASE("a moment is so long ago, a day, or a time of it") {
  auto now = from_unix(1'800'000'000);
  for (const auto& [text, want] : std::vector<std::pair<std::string, Time>>{
           {"7d", now - 7 * 24h},
           {"90s", now - 90s},
           {"2026-12-01", from_unix(1'796'083'200)},
           {"2026-12-01T15:04:05Z", from_unix(1'796'083'200 + 15 * 3600 + 4 * 60 + 5)},
           {"2026-12-01 15:04", from_unix(1'796'083'200 + 15 * 3600 + 4 * 60)},
           {"2024-02-29", from_unix(1'709'164'800)},
       }) {
    INFO(text);
    auto moment = admin::parse_moment(text, now);
    REQUIRE(moment);
    CHECK(*moment == want);
  }
  for (const char* text : {"", "7", "yesterday", "2026-13-01", "2026-02-30", "2026-1-1", "2026-12-01T25:00", "2026-12-01T1:00", "2026-12-01x15:04",
                           "1969-12-31", "2026-12-01T15:04:05+07:00", "99999999999d", "2026-12-01T15-04"}) {
    INFO(text);
    CHECK_FALSE(admin::parse_moment(text, now));
  }
}
