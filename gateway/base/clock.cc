// Wall time and its text forms.  Everything is said in UTC: a server's zone helps nobody who reads a log.
#include "gateway/base/clock.h"

#include <ctime>

namespace postern {
namespace {

class SystemClock : public Clock {
 public:
  Time now() const override { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }
};

std::string formatted(Time time, const char* format) {
  std::time_t seconds = to_unix(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

}  // namespace

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

std::int64_t to_unix(Time time) { return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count(); }

// The program never calls setlocale, so %a and %b are the English names that the RFCs want.
std::string rfc5322_date(Time time) { return formatted(time, "%a, %d %b %Y %H:%M:%S +0000"); }
std::string imap_date_time(Time time) { return formatted(time, "%d-%b-%Y %H:%M:%S +0000"); }
std::string rfc3339(Time time) { return formatted(time, "%Y-%m-%dT%H:%M:%SZ"); }

}  // namespace postern
