#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/delivery/route.h"
#include "gateway/store/types.h"

namespace postern::delivery {

// One route's share of the queue: what waits for it, and how hard it may be worked on.
struct Site {
  RoutePtr route;
  std::set<std::pair<Time, store::QueueId>> waiting;   // by due time
  std::size_t workers = 0;       // connections that are being used or opened
  double allowance = 5;          // so many workers at once; grows with success, falls with trouble
  Time quiet_until{};            // nothing answered: nobody tries before
  std::size_t failures = 0;      // in a row
  std::string words;             // why it is quiet
  std::optional<Time> planned;   // its place in the agenda
};

// What of the queue is kept in memory: some 180 octets an entry.  Decides who is next; sends nothing itself.
// One loop's.  Times are given to it, so that tests can turn them.
class QueueIndex {
 public:
  // `routes` must outlive it.
  QueueIndex(const Routes& routes, config::Queue settings) : routes_(routes), settings_(std::move(settings)) {}

  // A new entry, or one that was changed by the operator.  One that is being sent is told by finish(): look again.
  void put(store::QueueId id, std::string_view destination, Time arrived, Time due);
  void remove(store::QueueId id);                       // not one that is being sent: finish() does
  // The longest due entry of that site; it counts as being sent until finish().
  std::optional<store::QueueId> take(Site& site, Time now);
  // That one, due or not; false: it does not wait (any more).
  bool take(store::QueueId id);
  // `due`: it waits again.  True: put() or remove() came for it meanwhile, and what they said must be asked for anew.
  bool finish(store::QueueId id, std::optional<Time> due);

  // The longest due entry of all for which a worker can begin now; it is taken, and the worker counted until leave().
  struct Begun {
    Site* site = nullptr;
    store::QueueId id = 0;
  };
  std::optional<Begun> enter(Time now);
  // May the worker go on with the next entry?
  bool may_stay(const Site& site, Time now) const;
  void leave(Site& site);                               // may end the site
  // When enter() could give something next.
  std::optional<Time> next() const;

  // Feedback of the workers.
  void went_well(Site& site);
  void went_badly(Site& site);                          // the host is there, but wants less
  // False: it was known to be.
  bool is_down(Site& site, Time now, std::string words);
  void wake(std::string_view destination);              // the operator knows better: it is tried at once

  // A message's own next attempt, after `attempts` of them.
  Time retry_at(std::uint32_t attempts, Time now) const;
  bool is_expired(Time arrived, Time now) const { return now - arrived >= settings_.expire; }
  // Entries of a site that have waited their whole time: given up even though nobody could be asked.
  std::vector<store::QueueId> expired(const Site& site, Time now) const;

  // Entries that have waited for settings().delay_notice, the longest first, at most `limit`.  Each is named once; one
  // that is being sent when it waits again.
  std::vector<store::QueueId> late(Time now, std::size_t limit);
  void name_again(store::QueueId id);
  std::optional<Time> next_late() const;   // when late() could name one next

  // After a reload: entries find their routes anew.  None may be being sent by the sites that are given up: those stay
  // until leave().
  void configure(config::Queue settings);
  // The clock was set back: nothing waits longer than the schedule allows.
  void clamp(Time now);

  std::size_t size() const { return entries_.size(); }
  std::size_t workers() const { return workers_; }
  const config::Queue& settings() const { return settings_; }

 private:
  struct Place {
    Time arrived{};
    Time due{};
    const std::string* destination = nullptr;   // a key of destinations_
    Site* site = nullptr;                       // in whose `waiting` it is; nullptr while it is being sent
    bool sending = false;
    bool again = false;
    bool late = false;                          // was named as such
  };
  using Entries = std::map<store::QueueId, Place>;   // ids ascend with the time of arrival: late() need not look at all
  void wait(store::QueueId id, Place& place);
  void forget(Entries::iterator entry);
  Site& site_of(std::string_view destination);
  void plan(Site& site);
  static std::size_t allowed(const Site& site);
  void forget_if_idle(Site& site);

  const Routes& routes_;
  config::Queue settings_;
  Entries entries_;
  std::map<std::string, Site, std::less<>> sites_;               // by Route::key
  std::set<std::pair<Time, Site*>> agenda_;                      // when a worker could begin
  std::unordered_map<std::string, std::size_t> destinations_;    // how many entries have it
  std::size_t workers_ = 0;
  store::QueueId late_from_ = 0;   // none below it is still to be named
};

}  // namespace postern::delivery
