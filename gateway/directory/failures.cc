// Fading counters of failed logins.
#include "gateway/directory/failures.h"

#include <algorithm>
#include <cmath>

namespace postern::directory {
namespace {

double seconds(std::chrono::steady_clock::duration span) { return std::chrono::duration<double>(span).count(); }

}  // namespace

// What is compared is the rounded count: three failures within a minute are three.
double Failures::faded(const Entry& entry, Deadline now) const {
  double age = std::max(0.0, seconds(now - entry.when));
  return entry.count * std::exp2(-age / seconds(policy_.half_life));
}

Failures::Standing Failures::standing(std::string_view name, Deadline now) const {
  Standing out;
  auto at = entries_.find(name);
  if (at == entries_.end()) return out;
  const auto& entry = *at->second;
  if (entry.refused_until > now) {
    out.refused_for = std::chrono::ceil<std::chrono::seconds>(entry.refused_until - now);
    return out;
  }
  double over = std::round(faded(entry, now)) - policy_.free;
  if (over < 0) return out;
  double delay = static_cast<double>(policy_.first_delay.count()) * std::exp2(std::min(over, 20.0));
  delay = std::min(delay, static_cast<double>(policy_.longest_delay.count()));
  out.delay = std::chrono::milliseconds(static_cast<std::int64_t>(delay));
  return out;
}

void Failures::add(std::string_view name, Deadline now) {
  auto at = entries_.find(name);
  if (at == entries_.end()) {
    if (order_.size() >= capacity_) {
      entries_.erase(order_.back().name);
      order_.pop_back();
    }
    order_.emplace_front();
    order_.front().name = name;
    at = entries_.emplace(order_.front().name, order_.begin()).first;
  } else {
    order_.splice(order_.begin(), order_, at->second);
  }
  auto& entry = *at->second;
  entry.count = faded(entry, now) + 1;
  entry.when = now;
  if (std::round(entry.count) < policy_.refuse_at || entry.refused_until > now) return;
  entry.refused_until = now + policy_.refusal;
  entry.count = policy_.free;   // afterwards there are some tries again, slow ones
}

bool Failures::forget(std::string_view name) {
  auto at = entries_.find(name);
  if (at == entries_.end()) return false;
  auto entry = at->second;
  entries_.erase(at);
  order_.erase(entry);
  return true;
}

std::vector<Failures::Refused> Failures::refused(Deadline now) const {
  std::vector<Refused> out;
  for (const auto& entry : order_) {
    if (entry.refused_until <= now) continue;
    Refused refused;
    refused.name = entry.name;
    refused.left = std::chrono::ceil<std::chrono::seconds>(entry.refused_until - now);
    out.push_back(std::move(refused));
  }
  return out;
}

}  // namespace postern::directory
