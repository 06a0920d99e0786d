#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "gateway/io/loop.h"
#include "gateway/io/task.h"

namespace postern::io {

// Threads for work that would hold up a loop: RSA, libspf2, Argon2id, scans of the store.
//
//   auto job = [message = std::move(message)] { return scan(message); };   // named first
//   ScanResult result = co_await workers.run(std::move(job));
//
// A job takes values and gives a value; it must not touch the session.  When the waiter is gone
// the job still runs, its result is dropped.  An exception of the job is thrown in the waiter.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  ~WorkerPool();  // stop()
  WorkerPool(const WorkerPool&) = delete;

  template <class Job>
  Task<std::invoke_result_t<Job&>> run(Job job);

  // Lets running jobs end, drops queued ones and all that come later.  Waiters of dropped jobs wait for ever.
  void stop();

  // For work whose end nobody waits for.
  void run_detached(std::function<void()> job) { push(std::move(job)); }

 private:
  void push(std::function<void()> job);
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

namespace detail {

// Shared by the waiting task and the job.  `waiter` is only touched on the loop's thread.
template <class T>
struct JobState {
  std::coroutine_handle<> waiter;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  std::exception_ptr failure;
};

template <class T>
struct JobWait {
  std::shared_ptr<JobState<T>> state;
  std::function<void()> start;
  JobWait(std::shared_ptr<JobState<T>> s, std::function<void()> begin) : state(std::move(s)), start(std::move(begin)) {}
  JobWait(const JobWait&) = delete;
  ~JobWait() { state->waiter = {}; }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    state->waiter = waiter;
    start();
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

template <class Job>
Task<std::invoke_result_t<Job&>> WorkerPool::run(Job job) {
  using T = std::invoke_result_t<Job&>;
  auto state = std::make_shared<detail::JobState<T>>();
  auto shared_job = std::make_shared<Job>(std::move(job));  // std::function wants a copyable callable
  Loop& loop = Loop::current();
  std::function<void()> start = [this, state, shared_job, &loop] {
    push([state, shared_job, &loop] {
      try {
        if constexpr (std::is_void_v<T>) {
          (*shared_job)();
          state->value = true;
        } else {
          state->value.emplace((*shared_job)());
        }
      } catch (...) {  // thrown in the waiter
        state->failure = std::current_exception();
      }
      loop.post([state] {
        if (state->waiter) std::exchange(state->waiter, {}).resume();
      });
    });
  };
  detail::JobWait<T> wait(state, std::move(start));
  co_await wait;
  if (state->failure) std::rethrow_exception(state->failure);
  if constexpr (!std::is_void_v<T>) co_return std::move(*state->value);
}

}  // namespace postern::io
