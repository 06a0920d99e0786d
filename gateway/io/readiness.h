#pragma once

#include <coroutine>

#include "gateway/base/clock.h"

struct event;

namespace postern::io {

// Waits until a descriptor that is no Stream can be read (a pidfd, a signalfd):
//   bool ready = co_await Readable(fd, in(5s));     // false: the deadline passed
class Readable {
 public:
  Readable(int fd, Deadline when) : fd_(fd), when_(when) {}
  Readable(const Readable&) = delete;
  ~Readable();
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  bool await_resume() const noexcept { return ready_; }

 private:
  int fd_;
  Deadline when_;
  event* event_ = nullptr;
  std::coroutine_handle<> waiter_;
  bool ready_ = false;
};

}  // namespace postern::io
