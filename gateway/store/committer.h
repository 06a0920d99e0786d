#pragma once

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/io/loop.h"
#include "gateway/io/task.h"
#include "gateway/store/group.h"
#include "gateway/store/notify.h"

namespace postern::store {

class Committer;

// One change on its way through the committer.
class Job {
 public:
  virtual ~Job() = default;
  // Adds its changes to the group; the committer's thread.  true: complete with this group.  false:
  // the group holds a consistent slice, call again with the next one.  May be called again for the
  // same slice, with a new group, when the first could not be written: what apply() notes, it notes
  // anew.  A job that refuses must not have changed the group.
  virtual bool apply(Group& group) = 0;
  // The rows of the last apply()'s group are about to be written.  Should that fail, nobody knows whether they
  // are on disk, and what they name must stay.
  virtual void writing() {}
  // The group of the last apply() is durable.
  virtual void committed() {}
  // The change failed; it will not be applied again.
  virtual void fail(Outcome outcome, std::string text) = 0;
  // Whether it needs disk space: refused when that is low.  One that goes in slices needs it for all of them
  // before the first and not again: half of it would be there, and the client would ask for the whole anew.
  virtual bool grows() const { return false; }
  // What its bodies, or its many rows, will take of the disk.
  virtual std::size_t body_octets() const { return 0; }
  // Work to be queued once this one is durable (the sweep after a removal).
  virtual std::vector<std::shared_ptr<Job>> successors() { return {}; }

  // The loop's thread only, but for `loop`, which never changes once submitted.
  std::coroutine_handle<> waiter;
  io::Loop* loop = nullptr;   // null: nobody waits
};

template <class R>
class JobWith : public Job {
 public:
  R result;
  void fail(Outcome outcome, std::string text) override {
    result = R();
    result.outcome = outcome;
    result.text = std::move(text);
  }

 protected:
  // For apply(): refuses and is complete.
  bool refuse(Outcome outcome, std::string text) {
    JobWith::fail(outcome, std::move(text));
    return true;
  }
};

// The one thread that changes the store.  Takes all that is queued, gathers it in a group, writes and
// syncs the bodies, writes and syncs the rows, publishes, and only then wakes those who wait.
class Committer {
 public:
  struct Limits {
    std::uint64_t low_space_octets = 0;
    std::string directory;   // whose free space counts
    // How long what was seen of it holds, if the bodies written since do not use it up.
    std::chrono::milliseconds look_every{100};
  };
  Committer(Catalog& catalog, BodyStore& bodies, Watches& watches, Files& files, Limits limits);
  ~Committer();   // finishes what is queued
  Committer(const Committer&) = delete;

  // Takes changes for these rows from now on.  Null: everything is refused as broken until the next
  // use().  Blocks until the group in progress is done.
  void use(Kv* rows);
  void submit(std::shared_ptr<Job> job);
  // Wakes the waiter of a job that was never submitted, or is done.
  static void acknowledge(const std::vector<std::shared_ptr<Job>>& jobs);

  // While it is held nothing is committed, and no segment goes: rows and bodies stand still.
  std::unique_lock<std::mutex> hold() { return std::unique_lock(busy_); }

  struct State {
    bool writable = false;
    std::string problem;
    std::uint64_t commits = 0;
    std::uint64_t changes = 0;
    std::uint64_t free_octets = 0;
  };
  State state() const;
  // Called on the committer's thread after a group that left a segment less than half live.
  // To be set before the first change.
  void on_sparse(std::function<void()> notice) { on_sparse_ = std::move(notice); }
  // Called on the same thread after a look at the disk, with the free octets above the reserve.
  void on_space(std::function<void(std::uint64_t)> notice) { on_space_ = std::move(notice); }

 private:
  using Jobs = std::vector<std::shared_ptr<Job>>;
  void run();
  Jobs take();
  std::size_t commit(Jobs jobs);   // how many are done
  bool try_commit(Jobs& jobs, Jobs& done);
  bool gather(Group& group, Jobs& jobs, Jobs& done, std::vector<bool>& complete);
  bool write(Group& group, Jobs& jobs, Jobs& done);
  void fail_all(Jobs& jobs, Jobs& done, Outcome outcome, const std::string& text);
  void fail_growing(Jobs& jobs, Jobs& done, const std::string& text);
  void refuse_when_low(Jobs& jobs, Jobs& done);
  void broke(const std::string& problem);

  Catalog& catalog_;
  BodyStore& bodies_;
  Watches& watches_;
  Files& files_;
  Limits limits_;
  std::function<void()> on_sparse_;
  std::function<void(std::uint64_t)> on_space_;
  Kv* rows_ = nullptr;   // under busy_
  // The committer's thread only: the free space at the last look less what was written since.
  std::uint64_t space_left_ = 0;
  Deadline next_look_{};
  // Two syncs cost the same however many messages share them, so a group waits for as many changes as came
  // together last time, if they were three or more.  The committer's thread only.
  struct Company {
    std::size_t expected = 0;
    std::size_t together = 0;              // groups in a row that had all that were expected
    std::chrono::nanoseconds linger{0};    // at most this long, by what the last group took
    void expect(std::size_t count);        // after a group of so many
  };
  Company company_;

  std::mutex busy_;      // held while a group is in progress
  mutable std::mutex mutex_;   // guards the rest
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::size_t awaited_ = 0;   // the committer sleeps until so many are queued, if it lingers
  State state_;
  bool stop_ = false;
  std::thread thread_;
};

// Submits and waits.  The change commits also if the task is destroyed while it waits.
template <class R>
io::Task<R> change(Committer& committer, std::shared_ptr<JobWith<R>> job);

namespace detail {
struct JobWait {
  std::shared_ptr<Job> job;
  std::function<void()> start;
  JobWait(std::shared_ptr<Job> j, std::function<void()> s) : job(std::move(j)), start(std::move(s)) {}
  JobWait(const JobWait&) = delete;
  ~JobWait() { job->waiter = {}; }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    job->waiter = waiter;
    job->loop = &io::Loop::current();
    start();
  }
  void await_resume() const noexcept {}
};
}  // namespace detail

template <class R>
io::Task<R> started(std::shared_ptr<JobWith<R>> job, std::function<void()> start) {
  detail::JobWait wait(job, std::move(start));
  co_await wait;
  co_return std::move(job->result);
}

template <class R>
io::Task<R> change(Committer& committer, std::shared_ptr<JobWith<R>> job) {
  std::shared_ptr<Job> base = job;
  std::function<void()> start = [&committer, base] { committer.submit(base); };
  return started(std::move(job), std::move(start));
}

}  // namespace postern::store
