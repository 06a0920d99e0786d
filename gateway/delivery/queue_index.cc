// The order in which the queue is worked on.
#include "gateway/delivery/queue_index.h"

#include <algorithm>

#include "gateway/base/check.h"
#include "gateway/base/random.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

// The company's own server comes back when somebody has mended it: it is asked often.
constexpr auto kLongestQuietOfOwn = 1min;

// So that what failed together does not come back together: a tenth more or less.
std::chrono::microseconds spread(std::chrono::microseconds wait) {
  auto tenth = wait.count() / 10;
  if (tenth <= 0) return wait;
  return wait - std::chrono::microseconds(tenth) + std::chrono::microseconds(random_number() % static_cast<std::uint64_t>(2 * tenth + 1));
}

}  // namespace

Site& QueueIndex::site_of(std::string_view destination) {
  auto route = routes_.find(destination);
  auto [at, fresh] = sites_.try_emplace(route->key);
  if (fresh) {
    at->second.route = std::move(route);
    at->second.allowance = std::min(at->second.allowance, static_cast<double>(settings_.connections_per_route));
  }
  return at->second;
}

void QueueIndex::wait(store::QueueId id, Place& place) {
  place.site = &site_of(*place.destination);
  place.site->waiting.emplace(place.due, id);
  plan(*place.site);
}

std::size_t QueueIndex::allowed(const Site& site) { return std::max<std::size_t>(1, static_cast<std::size_t>(site.allowance)); }

void QueueIndex::plan(Site& site) {
  if (site.planned) agenda_.erase({*site.planned, &site});
  site.planned.reset();
  if (site.waiting.empty() || site.workers >= allowed(site)) return;
  site.planned = std::max(site.waiting.begin()->first, site.quiet_until);
  agenda_.emplace(*site.planned, &site);
}

void QueueIndex::forget_if_idle(Site& site) {
  if (!site.waiting.empty() || site.workers != 0) return;
  if (site.planned) agenda_.erase({*site.planned, &site});
  sites_.erase(sites_.find(site.route->key));
}

void QueueIndex::put(store::QueueId id, std::string_view destination, Time arrived, Time due) {
  auto [at, fresh] = entries_.try_emplace(id);
  auto& place = at->second;
  if (place.sending) {
    place.again = true;
    return;
  }
  if (fresh) {
    auto named = destinations_.try_emplace(std::string(destination)).first;
    ++named->second;
    place.destination = &named->first;
  } else {
    auto& site = *place.site;
    site.waiting.erase({place.due, id});
    plan(site);
  }
  place.arrived = arrived;
  place.due = due;
  if (!place.late) late_from_ = std::min(late_from_, id);
  wait(id, place);
}

void QueueIndex::forget(Entries::iterator entry) {
  auto named = destinations_.find(*entry->second.destination);
  if (--named->second == 0) destinations_.erase(named);
  entries_.erase(entry);
}

void QueueIndex::remove(store::QueueId id) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (found->second.sending) {
    found->second.again = true;
    return;
  }
  auto& site = *found->second.site;
  site.waiting.erase({found->second.due, id});
  forget(found);
  plan(site);
  forget_if_idle(site);
}

std::optional<store::QueueId> QueueIndex::take(Site& site, Time now) {
  if (site.waiting.empty() || site.waiting.begin()->first > now) return std::nullopt;
  auto id = site.waiting.begin()->second;
  site.waiting.erase(site.waiting.begin());
  auto& place = entries_.at(id);
  place.sending = true;
  place.site = nullptr;
  plan(site);
  return id;
}

bool QueueIndex::take(store::QueueId id) {
  auto found = entries_.find(id);
  if (found == entries_.end() || found->second.sending) return false;
  auto& site = *std::exchange(found->second.site, nullptr);
  site.waiting.erase({found->second.due, id});
  found->second.sending = true;
  plan(site);
  return true;
}

bool QueueIndex::finish(store::QueueId id, std::optional<Time> due) {
  auto found = entries_.find(id);
  CHECK(found != entries_.end() && found->second.sending);
  auto& place = found->second;
  bool again = place.again;
  place.sending = false;
  place.again = false;
  if (!due) {
    forget(found);
    return again;
  }
  place.due = *due;
  if (!place.late) late_from_ = std::min(late_from_, id);
  wait(id, place);
  return again;
}

std::optional<QueueIndex::Begun> QueueIndex::enter(Time now) {
  if (agenda_.empty() || agenda_.begin()->first > now || workers_ >= settings_.connections) return std::nullopt;
  auto& site = *agenda_.begin()->second;
  ++site.workers;
  ++workers_;
  return Begun{&site, *take(site, now)};
}

bool QueueIndex::may_stay(const Site& site, Time now) const { return site.quiet_until <= now && site.workers <= allowed(site); }

void QueueIndex::leave(Site& site) {
  --site.workers;
  --workers_;
  plan(site);
  forget_if_idle(site);
}

std::optional<Time> QueueIndex::next() const {
  if (agenda_.empty() || workers_ >= settings_.connections) return std::nullopt;
  return agenda_.begin()->first;
}

void QueueIndex::went_well(Site& site) {
  site.failures = 0;
  site.quiet_until = {};
  site.words.clear();
  site.allowance = std::min(site.allowance + 1 / site.allowance, static_cast<double>(settings_.connections_per_route));
  plan(site);
}

void QueueIndex::went_badly(Site& site) {
  site.allowance = std::max(1.0, site.allowance / 2);
  plan(site);
}

bool QueueIndex::is_down(Site& site, Time now, std::string words) {
  site.words = std::move(words);
  if (now < site.quiet_until) return false;
  auto wait = settings_.retry[std::min(site.failures, settings_.retry.size() - 1)];
  if (!site.route->by_mx()) wait = std::min<config::Milliseconds>(wait, kLongestQuietOfOwn);
  ++site.failures;
  site.allowance = 1;   // one asks first
  site.quiet_until = now + spread(wait);
  plan(site);
  return true;
}

void QueueIndex::wake(std::string_view destination) {
  auto found = sites_.find(routes_.find(destination)->key);
  if (found == sites_.end()) return;
  found->second.quiet_until = {};
  found->second.failures = 0;
  plan(found->second);
}

Time QueueIndex::retry_at(std::uint32_t attempts, Time now) const {
  auto index = std::min<std::size_t>(attempts == 0 ? 0 : attempts - 1, settings_.retry.size() - 1);
  return now + spread(settings_.retry[index]);
}

std::vector<store::QueueId> QueueIndex::expired(const Site& site, Time now) const {
  std::vector<store::QueueId> out;
  for (const auto& [due, id] : site.waiting) {
    if (is_expired(entries_.at(id).arrived, now)) out.push_back(id);
  }
  return out;
}

std::vector<store::QueueId> QueueIndex::late(Time now, std::size_t limit) {
  std::vector<store::QueueId> out;
  if (settings_.delay_notice.count() == 0) return out;
  for (auto at = entries_.lower_bound(late_from_); at != entries_.end() && out.size() < limit; ++at) {
    auto& [id, place] = *at;
    bool from_the_future = place.arrived > now;   // the clock was set back: who came behind it is no earlier
    if (!from_the_future && now - place.arrived < settings_.delay_notice) break;
    late_from_ = id + 1;
    if (place.late || place.sending || from_the_future) continue;
    place.late = true;
    out.push_back(id);
  }
  return out;
}

std::optional<Time> QueueIndex::next_late() const {
  auto first = entries_.lower_bound(late_from_);
  if (first == entries_.end() || settings_.delay_notice.count() == 0) return std::nullopt;
  return first->second.arrived + settings_.delay_notice;
}

void QueueIndex::name_again(store::QueueId id) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.late = false;
  late_from_ = std::min(late_from_, id);
}

void QueueIndex::configure(config::Queue settings) {
  settings_ = std::move(settings);
  std::vector<Site*> left;
  for (auto& [key, site] : sites_) {
    site.waiting.clear();
    site.allowance = std::min(site.allowance, static_cast<double>(settings_.connections_per_route));
    plan(site);
    left.push_back(&site);
  }
  for (auto& [id, place] : entries_) {
    if (!place.sending) wait(id, place);
  }
  for (auto* site : left) forget_if_idle(*site);
}

void QueueIndex::clamp(Time now) {
  auto latest = now + settings_.retry.back();
  for (auto& [key, site] : sites_) {
    site.quiet_until = std::min<Time>(site.quiet_until, latest);
    std::vector<std::pair<Time, store::QueueId>> late(site.waiting.upper_bound({latest, UINT64_MAX}), site.waiting.end());
    for (const auto& [due, id] : late) {
      site.waiting.erase({due, id});
      entries_.at(id).due = latest;
      site.waiting.emplace(latest, id);
    }
    plan(site);
  }
}

}  // namespace postern::delivery
