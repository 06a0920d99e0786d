// Dates in header fields, read leniently: what a sender gets wrong is said, not refused.  RFC 5322 3.3 and 4.3.
#include "gateway/mail/date.h"

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "gateway/base/text.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxDate = 256;
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct NamedZone {
  std::string_view name;
  int hours;
};
constexpr std::array<NamedZone, 16> kZones = {{{"gmt", 0}, {"ut", 0}, {"utc", 0}, {"z", 0}, {"est", -5}, {"edt", -4}, {"cst", -6}, {"cdt", -5},
                                               {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}, {"cet", 1}, {"cest", 2}, {"bst", 1}, {"jst", 9}}};

// Without comments, line ends as spaces; a comma parts as a space does.
std::string cleaned(std::string_view raw) {
  std::string out;
  int depth = 0;
  for (char c : raw.substr(0, kMaxDate)) {
    if (c == '(') ++depth;
    if (depth == 0) out += c == '\r' || c == '\n' || c == '\t' || c == ',' ? ' ' : ascii_lower(c);
    if (c == ')' && depth > 0) --depth;
  }
  return out;
}

template <std::size_t N>
std::optional<unsigned> index_in(const std::array<std::string_view, N>& names, std::string_view word) {
  for (unsigned i = 0; i < N; ++i) {
    if (word.substr(0, 3) == names[i]) return i;
  }
  return std::nullopt;
}

struct Fields {
  std::optional<unsigned> weekday, month;
  std::optional<std::uint64_t> day, year;
  std::optional<std::chrono::seconds> time;
  std::string_view zone;
};

// "03:59", "3:59:02", "03:59:60" (a leap second).
std::optional<std::chrono::seconds> time_of(std::string_view word) {
  auto parts = split(word, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  auto hours = parse_number(parts[0]);
  auto minutes = parse_number(parts[1]);
  auto seconds = parts.size() == 3 ? parse_number(parts[2].substr(0, parts[2].find('.'))) : std::optional<std::uint64_t>(0);
  if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
  return std::chrono::seconds(*hours * 3600 + *minutes * 60 + *seconds);
}

Fields fields_of(std::string_view text, bool& proper) {
  Fields out;
  std::size_t place = 0;
  for (std::string_view word : words(text)) {
    bool number = is_digit(word.front());
    if (number && word.find(':') != std::string_view::npos) {
      if (out.time) proper = false;
      if (!out.time) out.time = time_of(word);
    } else if (number) {
      // "24-nov-2026" as one word.
      auto pieces = split(word, '-');
      if (pieces.size() == 3 && !out.day) {
        proper = false;
        out.day = parse_number(pieces[0]);
        out.month = index_in(kMonths, pieces[1]);
        out.year = parse_number(pieces[2]);
      } else if (!out.day) {
        out.day = parse_number(word);
      } else if (!out.year) {
        out.year = parse_number(word);
        if (out.time) proper = false;   // ANSI C puts the year last
      }
    } else if (!out.month && index_in(kMonths, word)) {
      out.month = index_in(kMonths, word);
      proper = proper && word.size() == 3 && out.day.has_value();
    } else if (place == 0 && index_in(kDays, word)) {
      out.weekday = index_in(kDays, word);
      proper = proper && word.size() == 3;
    } else if (out.time && out.zone.empty()) {
      out.zone = word;
    } else {
      proper = false;
    }
    ++place;
  }
  return out;
}

void read_zone(std::string_view zone, WrittenDate& date) {
  bool offset = zone.size() == 5 && (zone.front() == '+' || zone.front() == '-') && parse_number(zone.substr(1));
  if (!offset) {
    date.proper = date.proper && !zone.empty();
    for (const NamedZone& named : kZones) {
      if (named.name != zone) continue;
      date.zone_known = true;
      date.zone_minutes = named.hours * 60;
      return;
    }
    date.proper = false;
    return;
  }
  int hours = static_cast<int>(*parse_number(zone.substr(1, 2)));
  int minutes = static_cast<int>(*parse_number(zone.substr(3, 2)));
  int total = hours * 60 + minutes;
  if (minutes > 59 || total > 14 * 60) {
    date.zone_possible = false;
    return;
  }
  date.zone_known = zone != "-0000";   // RFC 5322 3.3: the time is UTC, and nothing is said of the place
  date.zone_minutes = zone.front() == '-' ? -total : total;
}

}  // namespace

std::optional<WrittenDate> parse_date(std::string_view raw) {
  WrittenDate out;
  std::string text = cleaned(raw);
  Fields fields = fields_of(text, out.proper);
  if (!fields.day || !fields.month || !fields.year || !fields.time) return std::nullopt;
  std::uint64_t year = *fields.year;
  if (year < 1000) {   // RFC 5322 4.3
    out.proper = false;
    year += year < 50 ? 2000 : 1900;
  }
  if (year < 1900 || year > 9999 || *fields.day > 31) return std::nullopt;
  std::chrono::year_month_day day{std::chrono::year(static_cast<int>(year)), std::chrono::month(*fields.month + 1),
                                  std::chrono::day(static_cast<unsigned>(*fields.day))};
  if (!day.ok()) return std::nullopt;
  read_zone(fields.zone, out);
  std::chrono::sys_days days(day);
  out.weekday_right = !fields.weekday || std::chrono::weekday(days).c_encoding() == *fields.weekday;
  out.when = Time(days) + *fields.time - std::chrono::minutes(out.zone_minutes);
  return out;
}

}  // namespace postern::mail
