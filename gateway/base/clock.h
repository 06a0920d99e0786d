#pragma once

#include <chrono>
#include <string>

namespace postern {

// The moment after which a wait ends with io::TimedOut.  Steady: a clock jump moves no deadline.
using Deadline = std::chrono::steady_clock::time_point;

inline Deadline in(std::chrono::steady_clock::duration wait) { return std::chrono::steady_clock::now() + wait; }

// Wall time in UTC with microseconds.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

// Wall clock that a test can hold and turn.  Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
  static const Clock& system();
};

// Time set by hand; for tests and `explain`.  Not to be turned while other threads read it.
class FixedClock : public Clock {
 public:
  explicit FixedClock(Time now) : now_(now) {}
  Time now() const override { return now_; }
  void set(Time now) { now_ = now; }

 private:
  Time now_;
};

inline Time from_unix(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }
std::int64_t to_unix(Time time);

// "Tue, 24 Nov 2026 03:59:02 +0000", RFC 5322 3.3.
std::string rfc5322_date(Time time);
// "24-Nov-2026 03:59:02 +0000", IMAP date-time, RFC 3501 9.
std::string imap_date_time(Time time);
// "2026-11-24T03:59:02Z", RFC 3339.
std::string rfc3339(Time time);

}  // namespace postern
