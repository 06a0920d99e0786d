// The order in which the queue is worked on.
#include "gateway/delivery/queue_index.h"

#include <algorithm>

#include "gateway/base/check.h"
#include "gateway/base/random.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

// The company's own server comes back when somebody has mended it: it is asked often, and so is a smarthost, on which
// all depends.  But one that refuses our password must not take us for somebody who guesses.
constexpr auto kLongestQuietOfOwn = 1min;
constexpr auto kLongestQuietOfNamed = 5min;

// Messages in a row that a host puts off until it is left alone, and for how long.
constexpr std::size_t kPatience = 5;
constexpr std::chrono::microseconds kFirstRest = 15s, kLongestRest = 10min;

constexpr std::size_t kMaxPaces = 1000;

// So that what failed together does not come back together: a tenth more or less.
std::chrono::microseconds spread(std::chrono::microseconds wait) {
  auto tenth = wait.count() / 10;
  if (tenth <= 0) return wait;
  return wait - std::chrono::microseconds(tenth) + std::chrono::microseconds(random_number() % static_cast<std::uint64_t>(2 * tenth + 1));
}

}  // namespace

Site& QueueIndex::site_of(const Lane& lane) {
  auto route = routes_.find(lane);
  auto [at, fresh] = sites_.try_emplace(route->key);
  auto& site = at->second;
  site.route = std::move(route);   // the newest: what is not in the key may have changed
  if (fresh) site.allowance = std::min(site.allowance, most(*site.route));
  return site;
}

double QueueIndex::most(const Route& route) const {
  auto all = settings_.connections_per_route;
  return static_cast<double>(route.connections == 0 ? all : std::min(route.connections, all));
}

Time QueueIndex::free_at(const Site& site) const {
  const auto& rate = site.route->rate;
  auto pace = rate.count == 0 ? paces_.end() : paces_.find(site.route->key);
  if (pace == paces_.end() || pace->second.size() < rate.count) return {};
  return pace->second[pace->second.size() - rate.count] + rate.window;
}

void QueueIndex::note_pace(const Site& site, Time now) {
  const auto& rate = site.route->rate;
  if (rate.count == 0) return;
  if (paces_.size() > kMaxPaces) std::erase_if(paces_, [now](const auto& pace) { return pace.second.back() + 24h < now; });
  auto& pace = paces_[site.route->key];
  pace.push_back(now);
  while (pace.size() > rate.count) pace.pop_front();
}

void QueueIndex::wait(store::QueueId id, Place& place) {
  place.site = &site_of(*place.lane);
  place.site->waiting.emplace(place.due, id);
  plan(*place.site);
}

std::size_t QueueIndex::allowed(const Site& site) { return std::max<std::size_t>(1, static_cast<std::size_t>(site.allowance)); }

void QueueIndex::plan(Site& site) {
  if (site.planned) agenda_.erase({*site.planned, &site});
  site.planned.reset();
  if (site.waiting.empty() || site.workers >= allowed(site)) return;
  site.planned = std::max({site.waiting.begin()->first, site.quiet_until, free_at(site)});
  agenda_.emplace(*site.planned, &site);
}

void QueueIndex::forget_if_idle(Site& site) {
  if (!site.waiting.empty() || site.workers != 0) return;
  if (site.planned) agenda_.erase({*site.planned, &site});
  sites_.erase(sites_.find(site.route->key));
}

const Lane* QueueIndex::take_lane(Lane lane) {
  auto at = lanes_.try_emplace(routes_.narrowed(std::move(lane))).first;
  ++at->second;
  return &at->first;
}

void QueueIndex::give_lane(const Lane* lane) {
  auto at = lanes_.find(*lane);
  if (--at->second == 0) lanes_.erase(at);
}

void QueueIndex::put(store::QueueId id, Lane lane, Time arrived, Time due) {
  auto [at, fresh] = entries_.try_emplace(id);
  auto& place = at->second;
  if (place.sending) {
    place.again = true;
    return;
  }
  const auto* before = std::exchange(place.lane, take_lane(std::move(lane)));
  if (!fresh) {
    auto& site = *place.site;
    site.waiting.erase({place.due, id});
    give_lane(before);
    plan(site);
  }
  auto* left = place.site;
  place.arrived = arrived;
  place.due = due;
  if (!place.late) late_from_ = std::min(late_from_, id);
  wait(id, place);
  if (left != nullptr && left != place.site) forget_if_idle(*left);
}

void QueueIndex::forget(Entries::iterator entry) {
  give_lane(entry->second.lane);
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
  if (site.waiting.empty() || site.waiting.begin()->first > now || free_at(site) > now) return std::nullopt;
  auto id = site.waiting.begin()->second;
  site.waiting.erase(site.waiting.begin());
  note_pace(site, now);
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
  site.stumbles = 0;
  site.quiet_until = {};
  site.words.clear();
  site.allowance = std::min(site.allowance + 1 / site.allowance, most(*site.route));
  plan(site);
}

bool QueueIndex::went_badly(Site& site, Time now, std::string words) {
  site.allowance = std::max(1.0, site.allowance / 2);
  bool rests = ++site.stumbles >= kPatience && now >= site.quiet_until;
  if (rests) {
    auto times = std::min<std::size_t>(site.stumbles - kPatience, 10);
    site.quiet_until = now + spread(std::min(kFirstRest * (1 << times), kLongestRest));
    site.words = std::move(words);
  }
  plan(site);
  return rests;
}

bool QueueIndex::is_down(Site& site, Time now, std::string words, bool refused) {
  site.words = std::move(words);
  if (now < site.quiet_until) return false;
  auto wait = settings_.retry[std::min(site.failures, settings_.retry.size() - 1)];
  if (site.route->own) wait = std::min<config::Milliseconds>(wait, kLongestQuietOfOwn);
  else if (!site.route->by_mx() && !refused) wait = std::min<config::Milliseconds>(wait, kLongestQuietOfNamed);
  ++site.failures;
  site.allowance = 1;   // one asks first
  site.quiet_until = now + spread(wait);
  plan(site);
  return true;
}

void QueueIndex::wake(const Lane& lane) {
  auto found = sites_.find(routes_.find(lane)->key);
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
    site.allowance = std::min(site.allowance, most(*site.route));
    if (!site.route->by_mx()) site.quiet_until = {};
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
  for (auto& [key, pace] : paces_) {
    for (auto& time : pace) time = std::min(time, now);
  }
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
