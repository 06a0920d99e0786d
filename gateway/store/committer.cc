// The committer thread: the order of all events, and the place where "250" becomes true.
#include "gateway/store/committer.h"

#include <pthread.h>

#include <algorithm>
#include <unordered_map>

#include "gateway/base/log.h"

namespace postern::store {
namespace {

constexpr std::size_t kMaxGroupJobs = 2048;
constexpr std::size_t kMaxGroupOctets = 16 << 20;
constexpr std::size_t kMaxGroupRows = 16 << 10;
// A steady stream comes to wait this long: some latency for a fraction of the syncs.
constexpr std::chrono::milliseconds kMaxLinger{4};
constexpr int kLingerFor = 4;                // times what the last group took
constexpr std::size_t kGrowAfter = 8;        // groups that came together in time
constexpr std::size_t kWorthWaiting = 3;     // two are faster when they take turns

}  // namespace

Committer::Committer(Catalog& catalog, BodyStore& bodies, Watches& watches, Files& files, Limits limits)
    : catalog_(catalog), bodies_(bodies), watches_(watches), files_(files), limits_(std::move(limits)) {
  thread_ = std::thread([this] { run(); });
}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Committer::use(Kv* rows) {
  std::lock_guard busy(busy_);
  rows_ = rows;
  std::lock_guard lock(mutex_);
  state_.writable = rows != nullptr;
  if (rows != nullptr) state_.problem.clear();
}

void Committer::submit(std::shared_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    if (queue_.size() < awaited_) return;
  }
  wake_.notify_one();
}

Committer::State Committer::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Committer::acknowledge(const Jobs& jobs) {
  // One notice a loop, whatever the number of its waiters.
  std::unordered_map<io::Loop*, Jobs> by_loop;
  for (const auto& job : jobs) {
    if (job->loop != nullptr) by_loop[job->loop].push_back(job);
  }
  for (auto& [loop, theirs] : by_loop) {
    loop->post([done = std::move(theirs)] {
      for (const auto& job : done) {
        if (job->waiter) std::exchange(job->waiter, {}).resume();
      }
    });
  }
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "committer");
  for (;;) {
    auto jobs = take();
    if (jobs.empty()) return;
    std::lock_guard busy(busy_);
    auto begin = std::chrono::steady_clock::now();
    auto count = commit(std::move(jobs));
    company_.linger = std::min<std::chrono::nanoseconds>(kLingerFor * (std::chrono::steady_clock::now() - begin), kMaxLinger);
    company_.expect(count);
  }
}

// A group that came together in time is expected again, now and then with some more; one that did not is what
// there is.
void Committer::Company::expect(std::size_t count) {
  bool in_time = count >= expected;
  together = in_time ? together + 1 : 0;
  expected = count < kWorthWaiting ? 0 : count;
  if (expected == 0 || together < kGrowAfter) return;
  together = 0;
  expected = std::min(expected + expected / 2 + 1, kMaxGroupJobs);
}

Committer::Jobs Committer::take() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
  if (company_.expected > 0) {
    awaited_ = company_.expected;   // only the last of them wakes this thread
    wake_.wait_for(lock, company_.linger, [this] { return stop_ || queue_.size() >= awaited_; });
    awaited_ = 0;
  }
  Jobs jobs;
  std::size_t octets = 0;
  while (!queue_.empty() && jobs.size() < kMaxGroupJobs && octets < kMaxGroupOctets) {
    octets += queue_.front()->body_octets();
    jobs.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return jobs;
}

std::size_t Committer::commit(Jobs jobs) {
  Jobs done;
  if (rows_ == nullptr) {
    std::string problem = state().problem;
    fail_all(jobs, done, Outcome::broken, problem.empty() ? "the store is not open" : problem);
  }
  refuse_when_low(jobs, done);
  while (!jobs.empty() && !try_commit(jobs, done)) {
  }
  {
    // Slices go on with the next group, behind what came meanwhile.
    std::lock_guard lock(mutex_);
    for (auto& job : jobs) queue_.push_back(std::move(job));
  }
  acknowledge(done);
  return done.size();
}

void Committer::refuse_when_low(Jobs& jobs, Jobs& done) {
  if (jobs.empty()) return;
  auto needed = limits_.low_space_octets;
  for (const auto& job : jobs) needed += job->body_octets();
  auto now = std::chrono::steady_clock::now();
  if (now >= next_look_ || space_left_ < needed) {
    auto free = files_.free_octets(limits_.directory);
    if (!free.ok()) return;   // the write will tell
    space_left_ = free.value;
    next_look_ = now + limits_.look_every;
    {
      std::lock_guard lock(mutex_);
      state_.free_octets = free.value;
    }
    if (on_space_ && space_left_ > limits_.low_space_octets) on_space_(space_left_ - limits_.low_space_octets);
  }
  Jobs kept, refused;
  for (auto& job : jobs) {
    auto octets = job->body_octets();
    bool fits = !job->grows() || space_left_ >= limits_.low_space_octets + octets;
    if (fits) space_left_ -= std::min<std::uint64_t>(space_left_, octets);
    (fits ? kept : refused).push_back(std::move(job));
  }
  jobs = std::move(kept);
  fail_all(refused, done, Outcome::no_space, "the disk is nearly full");
}

void Committer::fail_all(Jobs& jobs, Jobs& done, Outcome outcome, const std::string& text) {
  for (auto& job : jobs) {
    job->fail(outcome, text);
    done.push_back(std::move(job));
  }
  jobs.clear();
}

void Committer::fail_growing(Jobs& jobs, Jobs& done, const std::string& text) {
  Jobs refused, kept;
  for (auto& job : jobs) (job->grows() ? refused : kept).push_back(std::move(job));
  jobs = std::move(kept);
  fail_all(refused, done, Outcome::no_space, text);
}

void Committer::broke(const std::string& problem) {
  log::error("store.broken", {{"what", problem}});
  rows_ = nullptr;
  bodies_.abandon_open();
  std::lock_guard lock(mutex_);
  state_.writable = false;
  state_.problem = problem;
}

// Lets each job change the group; those that do not fit go back to the head of the queue.
bool Committer::gather(Group& group, Jobs& jobs, Jobs& done, std::vector<bool>& complete) {
  complete.clear();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (group.row_count() > kMaxGroupRows) {
      std::lock_guard lock(mutex_);
      for (auto left = jobs.size(); left > i; --left) queue_.push_front(std::move(jobs[left - 1]));
      jobs.resize(i);
      break;
    }
    complete.push_back(jobs[i]->apply(group));
    if (group.failure().empty()) continue;
    // A row that cannot be read: this change fails, the others begin again without it.
    log::error("store.read", {{"what", group.failure()}});
    jobs[i]->fail(Outcome::broken, group.failure());
    done.push_back(std::move(jobs[i]));
    jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(i));
    return false;
  }
  return true;
}

// Bodies, then rows.  false: nothing is durable, the failed jobs are out of `jobs`.
bool Committer::write(Group& group, Jobs& jobs, Jobs& done) {
  BodyStore::Written written{.error = group.body_error(), .sync_failed = false};
  if (!written.error) written = bodies_.write(group.bodies());
  if (written.error) {
    auto problem = "writing bodies: " + written.error.message();
    bodies_.drop_planned();
    if (!written.sync_failed && is_no_space(written.error)) {
      log::warning("store.no_space", {{"what", problem}});
      next_look_ = {};
      fail_growing(jobs, done, "the disk is full");
    } else {
      fail_all(jobs, done, Outcome::broken, problem);
      broke(problem);
    }
    return false;
  }
  for (const auto& job : jobs) job->writing();
  auto stored = rows_->write(group.batch());
  if (stored) return true;
  fail_all(jobs, done, Outcome::broken, stored.error().text);
  broke(stored.error().text);
  return false;
}

// true: the group is durable, finished jobs are in `done` and unfinished ones in `jobs`.
bool Committer::try_commit(Jobs& jobs, Jobs& done) {
  Group group(catalog_, *rows_, bodies_);
  std::vector<bool> complete;
  if (!gather(group, jobs, done, complete)) return false;
  if (!group.empty()) {
    if (!write(group, jobs, done)) return false;
    bodies_.keep_planned();
    bool sparse = group.leaves_sparse();
    catalog_.adopt(group.take_changes());
    watches_.publish(group.events());
    for (auto segment : group.emptied()) bodies_.remove(segment);
    if (sparse && on_sparse_) on_sparse_();
  }
  {
    std::lock_guard lock(mutex_);
    if (!group.empty()) ++state_.commits;
    state_.changes += jobs.size();
  }
  Jobs unfinished;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i]->committed();
    if (!complete[i]) {
      unfinished.push_back(std::move(jobs[i]));
      continue;
    }
    for (auto& next : jobs[i]->successors()) submit(std::move(next));
    done.push_back(std::move(jobs[i]));
  }
  jobs = std::move(unfinished);
  return true;
}

}  // namespace postern::store
