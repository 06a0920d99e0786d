#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"

namespace postern::filters {

// A fact that is computed once, when it is first wanted, and that any number of tasks wait for.  The
// computing task belongs to the loop, not to who asked first, so a rule that dies takes nothing from
// the others.  All on one loop's thread.
//
// `failed` turns an exception's text into the fact's error case: a fact always has a value.
template <class T>
class Memo {
 public:
  using Make = std::function<io::Task<T>()>;
  using Failed = std::function<T(std::string)>;

  Memo(std::string_view what, Make make, Failed failed) : what_(what), make_(std::move(make)), failed_(std::move(failed)) {}
  Memo(const Memo&) = delete;
  // The computing task is destroyed on the loop's next turn and may resume once until then: it must
  // own what it uses, or use what outlives the loop.
  ~Memo() {
    if (id_ != 0 && !state_->ready()) loop_->cancel(id_);
  }

  void start() {
    if (started_) return;
    started_ = true;
    loop_ = &io::Loop::current();
    id_ = loop_->spawn(fill(state_, make_(), failed_), what_);
  }

  // Starts when need be.  `this` must outlive the task.
  io::Task<const T*> get() {
    start();
    // Each fact has deadlines of its own below this one, and gives its error case when they pass.
    const T* value = co_await state_->get(in(std::chrono::minutes(10)));
    co_return value;
  }

 private:
  static io::Task<void> fill(std::shared_ptr<io::Promised<T>> state, io::Task<T> task, Failed failed) {
    std::string problem;
    try {
      T value = co_await task;
      state->set(std::move(value));
      co_return;
    } catch (const std::exception& failure) {
      problem = failure.what();
    }
    state->set(failed(std::move(problem)));
  }

  std::string_view what_;
  Make make_;
  Failed failed_;
  std::shared_ptr<io::Promised<T>> state_ = std::make_shared<io::Promised<T>>();
  io::Loop* loop_ = nullptr;
  io::Loop::TaskId id_ = 0;
  bool started_ = false;
};

}  // namespace postern::filters
