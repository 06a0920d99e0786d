// Moments on the command line.
#include "gateway/admin/moment.h"

#include <chrono>
#include <optional>

#include "gateway/base/text.h"

namespace postern::admin {
namespace {

constexpr std::int64_t kLongest = 100LL * 366 * 24 * 3'600'000;   // milliseconds

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  auto number = parse_number(text.substr(at, count));
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

std::optional<std::chrono::sys_days> day_of(std::string_view text) {
  auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (!year || !month || !day || text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)), std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *year < 1970) return std::nullopt;
  return std::chrono::sys_days(date);
}

// "15:04" or "15:04:05".
std::optional<std::chrono::seconds> clock_of(std::string_view text) {
  auto hour = digits(text, 0, 2), minute = digits(text, 3, 2);
  bool seconds = text.size() == 8;
  auto second = seconds ? digits(text, 6, 2) : std::optional(0);
  if (!hour || !minute || !second || text[2] != ':' || (seconds && text[5] != ':') || (!seconds && text.size() != 5)) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

}  // namespace

Result<Time> parse_moment(std::string_view text, Time now) {
  if (auto ago = parse_milliseconds(text); ago && *ago <= kLongest) return now - std::chrono::milliseconds(*ago);
  auto rest = text;
  if (rest.ends_with('Z')) rest.remove_suffix(1);
  auto day = day_of(rest);
  bool has_clock = rest.size() > 10 && (rest[10] == 'T' || rest[10] == ' ');
  auto clock = rest.size() == 10 ? std::optional(std::chrono::seconds(0)) : has_clock ? clock_of(rest.substr(11)) : std::nullopt;
  if (!day || !clock) return Error("no time such as \"7d\" (ago), \"2026-12-01\" or \"2026-12-01 15:04\" (UTC)");
  return Time(*day + *clock);
}

}  // namespace postern::admin
