#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/io/errors.h"
#include "gateway/io/task.h"

struct event;

namespace postern::io {

// Wakes the tasks that wait at the moment of notify(); on one loop's thread only.
//   bool woken = co_await signal.wait(in(5s));     // false: the deadline passed
// Waiters run on a later turn of the loop, never inside notify().  A Signal may be destroyed
// while tasks wait on it: they then sleep until their deadline.
class Signal {
 public:
  Signal();
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify();

 private:
  struct Waiters;

 public:
  class Wait {
   public:
    Wait(Signal& signal, Deadline when) : waiters_(signal.waiters_), when_(when) {}
    Wait(const Wait&) = delete;
    ~Wait();
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    bool await_resume() const noexcept { return woken_; }
    bool woken() const { return woken_; }

   private:
    friend class Signal;
    void unlink();
    std::shared_ptr<Waiters> waiters_;
    Deadline when_;
    std::coroutine_handle<> waiter_;
    event* timer_ = nullptr;
    Wait* previous_ = nullptr;
    Wait* next_ = nullptr;
    std::uint64_t since_ = 0;
    bool linked_ = false;
    bool woken_ = false;
  };
  Wait wait(Deadline when) { return Wait(*this, when); }

 private:
  std::shared_ptr<Waiters> waiters_;
};

// A value that is set once and that any number of tasks wait for.
template <class T>
class Promised {
 public:
  bool ready() const { return value_.has_value(); }
  const T& value() const { return *value_; }
  void set(T value) {
    if (value_) return;
    value_ = std::move(value);
    signal_.notify();
  }
  // Throws TimedOut.  `this` must outlive the task.
  Task<const T*> get(Deadline when) {
    while (!value_) {
      bool woken = co_await signal_.wait(when);
      if (!woken && !value_) throw TimedOut();
    }
    co_return &*value_;
  }

 private:
  std::optional<T> value_;
  Signal signal_;
};

}  // namespace postern::io
