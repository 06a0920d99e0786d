#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/io/task.h"

// Several tasks at once on one loop.
namespace postern::io {
namespace detail {

// Counts ended children and resumes the parent when `wanted` of them have ended.
struct Gathering {
  std::coroutine_handle<> parent;
  std::size_t wanted = 0;
  std::size_t ended = 0;
  std::size_t first_ended = 0;
  bool parent_suspended = false;

  // The last thing a child awaits: it is suspended here for good, so the parent may destroy it.
  struct Ended {
    Gathering& gathering;
    std::size_t index;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {
      auto& g = gathering;
      if (g.ended++ == 0) g.first_ended = index;
      if (g.ended == g.wanted && g.parent_suspended) g.parent.resume();  // may destroy this child
    }
    void await_resume() const noexcept {}
  };

  struct Start {
    Gathering& gathering;
    std::vector<Task<void>>& children;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
      auto& g = gathering;
      g.parent = waiter;
      for (auto& child : children) {
        if (g.ended >= g.wanted) break;  // first_of: an early winner leaves the rest unstarted
        auto awaiter = child.operator co_await();
        awaiter.child.resume();
      }
      if (g.ended >= g.wanted) return false;
      g.parent_suspended = true;
      return true;
    }
    void await_resume() const noexcept {}
  };
};

template <class T>
Task<void> gather_one(Task<T> task, Gathering& gathering, std::size_t index, std::optional<T>& value, std::exception_ptr& failure) {
  try {
    value = co_await task;
  } catch (...) {  // rethrown in the parent
    failure = std::current_exception();
  }
  co_await Gathering::Ended{gathering, index};
}

inline Task<void> gather_void(Task<void> task, Gathering& gathering, std::size_t index, std::exception_ptr& failure) {
  try {
    co_await task;
  } catch (...) {  // rethrown in the parent
    failure = std::current_exception();
  }
  co_await Gathering::Ended{gathering, index};
}

}  // namespace detail

// Runs all tasks and gives their values in order.  Waits for every one even if one throws;
// then the exception of the first in order is thrown.
template <class T>
Task<std::vector<T>> together(std::vector<Task<T>> tasks) {
  detail::Gathering gathering;
  gathering.wanted = tasks.size();
  std::vector<std::optional<T>> values(tasks.size());
  std::vector<std::exception_ptr> failures(tasks.size());
  std::vector<Task<void>> children;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    children.push_back(detail::gather_one<T>(std::move(tasks[i]), gathering, i, values[i], failures[i]));
  }
  co_await detail::Gathering::Start{gathering, children};
  for (auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  std::vector<T> out;
  out.reserve(values.size());
  for (auto& value : values) out.push_back(std::move(*value));
  co_return out;
}

inline Task<void> together(std::vector<Task<void>> tasks) {
  detail::Gathering gathering;
  gathering.wanted = tasks.size();
  std::vector<std::exception_ptr> failures(tasks.size());
  std::vector<Task<void>> children;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    children.push_back(detail::gather_void(std::move(tasks[i]), gathering, i, failures[i]));
  }
  co_await detail::Gathering::Start{gathering, children};
  for (auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

// Runs both until the first ends, cancels the other, and gives the index (0 or 1) of the one that
// ended.  An exception of the winner is thrown.
inline Task<std::size_t> first_of(Task<void> a, Task<void> b) {
  detail::Gathering gathering;
  gathering.wanted = 1;
  std::vector<std::exception_ptr> failures(2);
  std::vector<Task<void>> children;
  children.push_back(detail::gather_void(std::move(a), gathering, 0, failures[0]));
  children.push_back(detail::gather_void(std::move(b), gathering, 1, failures[1]));
  co_await detail::Gathering::Start{gathering, children};
  std::size_t winner = gathering.first_ended;
  children.clear();
  if (failures[winner]) std::rethrow_exception(failures[winner]);
  co_return winner;
}

}  // namespace postern::io
