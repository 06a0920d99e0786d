// The event loop: libevent's base, a queue of posted work, and the root tasks that it owns.
#include "gateway/io/loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/io/edge.h"
#include "gateway/io/errors.h"

namespace postern::io {
namespace {

thread_local Loop* current_loop = nullptr;

}  // namespace

struct Loop::Posted {
  std::mutex mutex;
  std::deque<std::function<void()>> work;
  bool stop = false;
  int wake = -1;
  event* readable = nullptr;   // the eventfd: another thread posted
  event* next_turn = nullptr;  // a timer of no time: the loop's own thread posted

  void run(event_base* base);
};

struct Loop::Roots {
  struct Root {
    Task<void> task;
    std::function<void()> done;
    bool ended = false;
  };
  std::unordered_map<TaskId, Root> running;
  std::vector<TaskId> to_reap;
  TaskId next = 1;

  // The root's own frame: runs the task and marks itself for reaping; destroyed later, from outside.
  static Task<void> run(Loop& loop, TaskId id, Task<void> task, std::string what) {
    try {
      co_await task;
    } catch (const Closed& closed) {
      log::debug("session.closed", {{"task", what}, {"why", closed.what()}});
    } catch (const TimedOut&) {
      log::debug("session.timed_out", {{"task", what}});
    } catch (const std::exception& failure) {
      log::error("task.failed", {{"task", what}, {"what", failure.what()}});
    } catch (...) {
      log::error("task.failed", {{"task", what}, {"what", "unknown exception"}});
    }
    loop.roots_->running.at(id).ended = true;
    loop.roots_->to_reap.push_back(id);
    loop.post([&loop] { loop.reap(); });
  }
};

Loop::Loop() : posted_(std::make_unique<Posted>()), roots_(std::make_unique<Roots>()) {
  // No evthread: other threads only touch the queue and the eventfd.
  std::signal(SIGPIPE, SIG_IGN);  // a peer that left is an error of write(), also inside SSL_write
  base_ = event_base_new();
  CHECK(base_ != nullptr);
  posted_->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  CHECK(posted_->wake >= 0);
  posted_->readable = event_new(
      base_, posted_->wake, EV_READ | EV_PERSIST, [](int, short, void* self) { static_cast<Loop*>(self)->drain_posted(); }, this);
  event_add(posted_->readable, nullptr);
  posted_->next_turn = evtimer_new(base_, [](int, short, void* self) { static_cast<Loop*>(self)->posted_->run(static_cast<Loop*>(self)->base_); }, this);
}

Loop::~Loop() {
  end_tasks();
  event_free(posted_->next_turn);
  event_free(posted_->readable);
  ::close(posted_->wake);
  event_base_free(base_);
}

Loop& Loop::current() {
  CHECK(current_loop != nullptr);
  return *current_loop;
}

void Loop::run() {
  auto* previous = std::exchange(current_loop, this);
  // Not EVLOOP_NO_EXIT_ON_EMPTY: the eventfd keeps the loop from ever being empty.
  event_base_loop(base_, 0);
  current_loop = previous;
  // Here, not at the beginning: a thread may be told to stop before it comes to run().
  std::lock_guard lock(posted_->mutex);
  posted_->stop = false;
}

void Loop::end_tasks() {
  auto* previous = std::exchange(current_loop, this);
  while (!roots_->running.empty()) {   // a destructor may spawn
    auto roots = std::exchange(roots_->running, {});
    roots.clear();
  }
  roots_->to_reap.clear();
  std::deque<std::function<void()>> unrun;
  {
    std::lock_guard lock(posted_->mutex);
    unrun.swap(posted_->work);
  }
  unrun.clear();   // not under the lock: what it holds may post
  current_loop = previous;
}

void Loop::stop() {
  {
    std::lock_guard lock(posted_->mutex);
    posted_->stop = true;
  }
  post([] {});
}

void Loop::post(std::function<void()> work) {
  bool was_empty = false;
  {
    std::lock_guard lock(posted_->mutex);
    was_empty = posted_->work.empty();
    posted_->work.push_back(std::move(work));
  }
  if (!was_empty) return;
  if (current_loop == this) {
    // Most posts by far; a timer costs no system call, and what waits for its turn keeps it.
    constexpr timeval kAtOnce{.tv_sec = 0, .tv_usec = 0};
    evtimer_add(posted_->next_turn, &kAtOnce);
    return;
  }
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(posted_->wake, &one, sizeof one);
}

void Loop::drain_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] auto got = ::read(posted_->wake, &count, sizeof count);
  posted_->run(base_);
}

void Loop::Posted::run(event_base* base) {
  std::deque<std::function<void()>> jobs;
  bool stopping = false;
  {
    std::lock_guard lock(mutex);
    jobs.swap(work);
    stopping = stop;
  }
  for (auto& job : jobs) {
    job();
    job = nullptr;
  }
  if (stopping) event_base_loopbreak(base);
}

void Loop::reap() {
  auto ids = std::exchange(roots_->to_reap, {});
  for (TaskId id : ids) {
    auto found = roots_->running.find(id);
    if (found == roots_->running.end()) continue;
    auto root = std::move(found->second);
    roots_->running.erase(found);
    root.task = Task<void>();
    if (root.done) root.done();
  }
}

Loop::TaskId Loop::spawn(Task<void> task, std::string_view what, std::function<void()> done) {
  TaskId id = roots_->next++;
  auto wrapped = Roots::run(*this, id, std::move(task), std::string(what));
  auto& root = roots_->running[id];
  root.task = std::move(wrapped);
  root.done = std::move(done);
  post([this, id] {
    auto found = roots_->running.find(id);
    if (found == roots_->running.end()) return;
    // Start it without an awaiter: awaiter_suspended stays false, so it just stops at its end.
    auto awaiter = found->second.task.operator co_await();
    awaiter.child.resume();
  });
  return id;
}

void Loop::cancel(TaskId id) {
  post([this, id] {
    auto found = roots_->running.find(id);
    if (found == roots_->running.end() || found->second.ended) return;
    auto root = std::move(found->second);
    roots_->running.erase(found);
    root.task = Task<void>();
    if (root.done) root.done();
  });
}

std::size_t Loop::running() const { return roots_->running.size(); }

void resume_sleeper(int, short, void* self) {
  static_cast<SleepUntil*>(self)->waiter_.resume();
}

SleepUntil::~SleepUntil() {
  if (timer_ != nullptr) event_free(timer_);
}

void SleepUntil::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  timer_ = evtimer_new(Loop::current().base(), resume_sleeper, this);
  auto wait = time_left(when_);
  evtimer_add(timer_, &wait);
}

}  // namespace postern::io
