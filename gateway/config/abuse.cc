// [abuse]: when an address elsewhere counts as dead, and when a user's mail is a reason for an alarm.
#include "gateway/config/abuse.h"

namespace postern::config {
namespace {

constexpr std::uint64_t kMostBounces = 20;   // as many are remembered of an address
constexpr std::uint64_t kMostAlarm = 1000;   // as many events are remembered of a user
constexpr Milliseconds kLongest{10LL * 365 * 24 * 3'600'000};

}  // namespace

void read_abuse(Section section, Abuse& abuse) {
  section.count("suppress_after", abuse.suppress_after, kMostBounces);
  section.duration("suppress_for", abuse.suppress_for, Milliseconds(0));
  if (abuse.suppress_for > kLongest) {
    section.report().mistake(section.line("suppress_for"), "suppress_for in [abuse] is at most 10 years; \"0s\" is until it is lifted");
  }
  section.count("alarm_held", abuse.alarm_held, kMostAlarm);
  section.count("alarm_bounces", abuse.alarm_bounces, kMostAlarm);
  section.count("alarm_complaints", abuse.alarm_complaints, kMostAlarm);
  section.boolean("alarm_stops", abuse.alarm_stops);
  section.finish({"hostname", "data", "rules", "user", "group", "postmaster"});
}

}  // namespace postern::config
