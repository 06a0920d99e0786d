#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "gateway/base/check.h"

// Task<T>: a lazy coroutine with exactly one awaiter.
//
// Nothing runs until it is awaited (or given to Loop::spawn).  Destroying a Task cancels it:
// its frame is destroyed with everything that it awaits, innermost first; each awaiter takes
// itself out of whatever list or event it waits on.  A Task is destroyed only while suspended.
// A Task runs on one loop's thread from beginning to end.
namespace postern::io {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;
  bool awaiter_suspended = false;
  std::exception_ptr failure;

  std::suspend_always initial_suspend() noexcept { return {}; }

  // The child was started inside its parent's await_suspend.  If it ends there, the parent has
  // not suspended and goes on by itself; only a parent that did suspend is resumed from here.
  // (Symmetric transfer is no tail call at -O0 or under ASan: a long loop would eat the stack.)
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      auto& promise = self.promise();
      if (promise.awaiter_suspended) promise.continuation.resume();  // may destroy *this: touch nothing after
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) { value.emplace(std::forward<U>(result)); }
  T take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { destroy(); }

  bool valid() const { return static_cast<bool>(handle_); }

  struct Awaiter {
    Handle child;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) {
      auto& promise = child.promise();
      promise.continuation = parent;
      child.resume();
      if (child.done()) return false;
      promise.awaiter_suspended = true;
      return true;
    }
    T await_resume() { return child.promise().take(); }
  };
  Awaiter operator co_await() const noexcept { return Awaiter{handle_}; }

 private:
  void destroy() {
    if (handle_) std::exchange(handle_, {}).destroy();
  }
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace postern::io
