// Counts runs and failures of rules by minute; switches broken ones off.
#include "filters/rule_health.h"

#include <algorithm>
#include <set>

namespace postern::filters {
namespace {

std::int64_t minute_number(Time now) { return to_unix(now) / 60; }

}  // namespace

RuleHealth::RuleHealth(std::vector<bool> required) : entries_(required.size()) {
  for (std::size_t i = 0; i < required.size(); ++i) entries_[i].required = required[i];
}

RuleHealth::Minute& RuleHealth::minute(Entry& entry, Time now) {
  std::int64_t number = minute_number(now);
  Minute& slot = entry.minutes[number % kMinutes];
  if (slot.number != number) slot = Minute{number, 0, 0};
  return slot;
}

void RuleHealth::ran(const std::vector<std::size_t>& rules, Time now) {
  std::lock_guard lock(mutex_);
  for (std::size_t rule : rules) {
    ++entries_[rule].state.runs;
    ++minute(entries_[rule], now).runs;
  }
}

RuleHealth::Failure RuleHealth::failed(std::size_t rule, Time now, Network network, std::string message, std::string what) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[rule];
  ++entry.state.errors;
  ++minute(entry, now).errors;
  std::erase_if(entry.failures, [now](const Seen& seen) { return seen.when + std::chrono::minutes(kMinutes) < now; });
  if (entry.failures.size() == kMaxSeen) entry.failures.erase(entry.failures.begin());
  entry.failures.push_back({now, network, std::move(message)});

  Failure result;
  std::uint64_t runs = 0;
  for (const Minute& slot : entry.minutes) {
    if (slot.number <= minute_number(now) - kMinutes) continue;
    runs += slot.runs;
    result.errors += slot.errors;
  }
  if (entry.required || entry.state.off || result.errors * 2 <= runs) return result;
  std::set<Network> networks;
  std::set<std::string_view> messages;
  for (const Seen& seen : entry.failures) {
    networks.insert(seen.network);
    messages.insert(seen.message);
  }
  if (networks.size() < 3 || messages.size() < 3) return result;
  entry.state.off = result.switched_off = true;
  entry.state.reason = "failed " + std::to_string(result.errors) + " of " + std::to_string(runs) + " times in 10 minutes: " + what;
  return result;
}

bool RuleHealth::off(std::size_t rule) const {
  std::lock_guard lock(mutex_);
  return entries_[rule].state.off;
}

std::string RuleHealth::reason(std::size_t rule) const {
  std::lock_guard lock(mutex_);
  return entries_[rule].state.reason;
}

std::vector<RuleHealth::State> RuleHealth::states() const {
  std::lock_guard lock(mutex_);
  std::vector<State> out;
  for (const Entry& entry : entries_) out.push_back(entry.state);
  return out;
}

}  // namespace postern::filters
