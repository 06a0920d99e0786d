#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/io/task.h"

struct event;
struct event_base;

namespace postern::io {

// One event loop, one thread (libevent; this directory is the only one that knows it).
// Everything but post() and stop() is to be called on the loop's own thread, or before run().
class Loop {
 public:
  Loop();
  ~Loop();  // destroys the tasks that still run
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop().
  void run();
  // Safe from any thread and from a signal-free context; the loop ends after the present callback.
  // A stop() that comes before run() holds: that run ends at once.
  void stop();
  // Destroys all tasks, and what is posted unrun, while what they refer to still lives.  For a loop that
  // does not run; post() stays safe until the Loop itself is destroyed, and does nothing.
  void end_tasks();
  // Runs `work` on the loop's thread, in order of posting.  Safe from any thread.  Work still
  // queued when the loop is destroyed is dropped unrun.
  void post(std::function<void()> work);

  using TaskId = std::uint64_t;
  // Owns and starts `task` on the next turn of the loop.  io::Closed and io::TimedOut end it
  // quietly; any other exception is logged with `what`.  `done`, if given, runs on the loop after
  // the task was destroyed, however it ended.
  TaskId spawn(Task<void> task, std::string_view what, std::function<void()> done = {});
  // Destroys a spawned task on the next turn, from outside of it; unknown ids are ignored.
  void cancel(TaskId id);
  std::size_t running() const;

  // Runs the loop until `task` has ended and gives its value or throws its exception: for tests
  // and one-shot commands.
  template <class T>
  T block_on(Task<T> task);

  // The loop that runs on this thread; CHECKs that there is one.
  static Loop& current();
  event_base* base() { return base_; }

 private:
  struct Roots;
  struct Posted;
  friend struct Roots;
  void drain_posted();
  void reap();

  event_base* base_;
  std::unique_ptr<Posted> posted_;
  std::unique_ptr<Roots> roots_;
};

// Waits until the deadline.  co_await sleep_until(in(5s));
class SleepUntil {
 public:
  explicit SleepUntil(Deadline when) : when_(when) {}
  SleepUntil(const SleepUntil&) = delete;
  ~SleepUntil();
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  void await_resume() const noexcept {}

 private:
  Deadline when_;
  event* timer_ = nullptr;
  std::coroutine_handle<> waiter_;
  friend void resume_sleeper(int, short, void*);
};
inline SleepUntil sleep_until(Deadline when) { return SleepUntil(when); }

namespace detail {
template <class T>
Task<void> capture(Task<T> task, std::optional<T>& value, std::exception_ptr& failure, Loop& loop) {
  try {
    value = co_await task;
  } catch (...) {  // handed on by block_on
    failure = std::current_exception();
  }
  loop.stop();
}
inline Task<void> capture_void(Task<void> task, std::exception_ptr& failure, Loop& loop) {
  try {
    co_await task;
  } catch (...) {  // handed on by block_on
    failure = std::current_exception();
  }
  loop.stop();
}
}  // namespace detail

template <class T>
T Loop::block_on(Task<T> task) {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    spawn(detail::capture_void(std::move(task), failure, *this), "block_on");
    run();
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> value;
    spawn(detail::capture(std::move(task), value, failure, *this), "block_on");
    run();
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
}

}  // namespace postern::io
