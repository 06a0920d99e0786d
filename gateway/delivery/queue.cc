// The queue's own time: what is begun when, and what is kept for it.  What is done with one message: sending.cc.
#include "gateway/delivery/queue.h"

#include <algorithm>
#include <exception>

#include "gateway/base/log.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPage = 2000;
constexpr auto kParkTime = 20s;      // of an idle connection
constexpr std::size_t kMaxParked = 100;
constexpr auto kLongestSleep = 60s;
constexpr auto kClockJump = 60s;

Time now() { return Clock::system().now(); }

Lane lane_of(const store::QueueEntry& entry) { return {entry.destination, sender_of(entry.state)}; }

io::Task<void> say_goodbye(Line line) {
  if (line.connection != nullptr) co_await line.connection->quit();
}

// The worker's place, however it ends.
class Place {
 public:
  Place(QueueIndex& index, Site& site) : index_(index), site_(site) {}
  Place(const Place&) = delete;
  ~Place() { index_.leave(site_); }

 private:
  QueueIndex& index_;
  Site& site_;
};

}  // namespace

Queue::Queue(Parts parts, config::Queue settings)
    : parts_(std::move(parts)), index_(parts_.routes, std::move(settings)), undeliverable_(parts_.store, parts_.directory, parts_.hostname),
      reports_(parts_.directory, parts_.hostname),
      lists_({parts_.store, parts_.directory, parts_.signer, [this](const store::Delivered& done) { look_at_new(done); }, parts_.hostname,
              Clock::system(), parts_.unsubscribe_link}) {}

io::Task<void> Queue::run() {
  wall_ = now();
  steady_ = in(0s);
  parts_.loop.spawn(load(), "queue.load");
  for (;;) {
    notice_clock();
    notice_delays();
    while (!draining_) {
      auto begun = index_.enter(now());
      if (!begun) break;
      begin(*begun);
    }
    show_figures();
    close_parked(in(0s));
    auto wait = std::chrono::microseconds(parked_.empty() ? kLongestSleep : 1s);
    auto next = draining_ ? std::nullopt : index_.next();
    bool may_tell = !draining_ && !telling_ && in(0s) >= tell_again_;
    if (auto late = may_tell ? index_.next_late() : std::nullopt; late && (!next || *late < *next)) next = late;
    if (next) wait = std::clamp<std::chrono::microseconds>(*next - now(), 0us, wait);
    co_await changed_.wait(in(wait));
  }
}

io::Task<void> Queue::load() {
  store::QueueId from = 0;
  std::size_t read = 0;
  for (;;) {
    auto page = co_await parts_.store.queue(from, kPage);
    if (!page) {
      log::error("queue.load", {{"what", page.error().text}});
      co_await io::sleep_until(in(5s));
      continue;
    }
    for (const auto& entry : *page) {
      if (!entry.held) index_.put(entry.id, lane_of(entry), entry.arrived, entry.due);
    }
    read += page->size();
    changed_.notify();
    if (page->size() < kPage) break;
    from = page->back().id + 1;
  }
  if (read != 0) log::info("queue.loaded", {{"entries", std::to_string(read)}});
}

void Queue::added(std::vector<Queued> queued) {
  parts_.loop.post([this, queued = std::move(queued)] {
    auto time = now();
    for (const auto& entry : queued) index_.put(entry.id, {entry.destination, entry.sender}, time, entry.due == Time{} ? time : entry.due);
    changed_.notify();
  });
}

void Queue::changed(std::vector<store::QueueId> ids, bool hurry) {
  parts_.loop.post([this, ids = std::move(ids), hurry] { parts_.loop.spawn(look(ids, hurry), "queue.look"); });
}

void Queue::give_up(std::vector<store::QueueId> ids) {
  parts_.loop.post([this, ids = std::move(ids)] { parts_.loop.spawn(give_up_as_told(ids), "queue.give_up"); });
}

void Queue::configure(config::Queue settings) {
  parts_.loop.post([this, settings = std::move(settings)] {
    index_.configure(settings);
    changed_.notify();
    parts_.loop.spawn(load(), "queue.load");   // whose sender counts now
  });
}

void Queue::drain() {
  parts_.loop.post([this] {
    draining_ = true;
    changed_.notify();
  });
}

io::Task<void> Queue::look(std::vector<store::QueueId> ids, bool hurry) {
  for (auto id : ids) {
    auto entry = co_await parts_.store.queue_entry(id);
    if (!entry) {
      log::error("queue.read", {{"entry", std::to_string(id)}, {"what", entry.error().text}});
      continue;
    }
    if (!*entry || (*entry)->held) index_.remove(id);
    else index_.put(id, lane_of(**entry), (*entry)->arrived, (*entry)->due);
    if (hurry && *entry) index_.wake(lane_of(**entry));
  }
  changed_.notify();
}

void Queue::begin(QueueIndex::Begun begun) {
  ++figures_.connections;
  parts_.loop.spawn(work(*begun.site, begun.id), "queue.worker", [this] {
    --figures_.connections;
    changed_.notify();
  });
}

io::Task<void> Queue::work(Site& site, store::QueueId first) {
  Place place(index_, site);
  auto key = site.route->key;
  auto line = unpark(key);
  for (std::optional<store::QueueId> id = first; id; id = !draining_ && index_.may_stay(site, now()) ? index_.take(site, now()) : std::nullopt) {
    std::string problem;
    try {
      co_await deliver(site, line, *id);
      continue;
    } catch (const std::exception& failure) {   // a mistake of ours must not keep the message from being sent ever after
      problem = failure.what();
    }
    log::error("queue.worker", {{"entry", std::to_string(*id)}, {"what", problem}});
    finish(*id, now() + 60s);
  }
  if (line.usable() && line.at == 0) {
    park(key, std::move(line));
  } else if (line.connection != nullptr) {
    co_await line.connection->quit();
  }
}

void Queue::finish(store::QueueId id, std::optional<Time> due) {
  bool again = index_.finish(id, due);
  bool unwanted = give_up_then_.erase(id) != 0;
  if (unwanted && due) parts_.loop.spawn(give_up_as_told({id}), "queue.give_up");
  if (again) parts_.loop.spawn(look({id}, false), "queue.look");
}

Line Queue::unpark(const std::string& route) {
  for (auto at = parked_.find(route); at != parked_.end() && at->first == route; at = parked_.find(route)) {
    auto line = std::move(at->second.line);
    parked_.erase(at);
    if (line.usable()) return line;
  }
  return {};
}

void Queue::park(const std::string& route, Line line) {
  if (parked_.size() >= kMaxParked) {
    parts_.loop.spawn(say_goodbye(std::move(line)), "queue.quit");
    return;
  }
  parked_.emplace(route, Parked{std::move(line), in(kParkTime)});
}

void Queue::close_parked(Deadline at) {
  for (auto each = parked_.begin(); each != parked_.end();) {
    if (!draining_ && each->second.until > at && each->second.line.usable()) {
      ++each;
      continue;
    }
    parts_.loop.spawn(say_goodbye(std::move(each->second.line)), "queue.quit");
    each = parked_.erase(each);
  }
}

// Due times are wall time.  A clock that was set back would make everything wait for as long.
void Queue::notice_clock() {
  auto wall = now();
  auto steady = in(0s);
  auto passed = std::chrono::duration_cast<std::chrono::microseconds>(steady - steady_);
  if (wall + kClockJump < wall_ + passed) {
    log::warning("queue.clock", {{"what", "the clock was set back: what waits is tried within its usual times"}});
    index_.clamp(wall);
  }
  wall_ = wall;
  steady_ = steady;
}

void Queue::show_figures() { figures_.waiting = index_.size(); }

void Queue::set_trouble(const Site& site) {
  std::lock_guard lock(mutex_);
  if (site.words.empty()) troubles_.erase(site.route->key);
  else troubles_[site.route->key] = site.words + "; asked again at " + rfc3339(site.quiet_until);
}

std::string Queue::trouble_of(const Lane& lane) const {
  auto key = parts_.routes.find(lane)->key;
  std::lock_guard lock(mutex_);
  auto found = troubles_.find(key);
  return found == troubles_.end() ? "" : found->second;
}

}  // namespace postern::delivery
