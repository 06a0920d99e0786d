#pragma once

#include <coroutine>

#include "gateway/base/clock.h"

struct event;

namespace postern::io {

// Waits until a descriptor that is no Stream can be read (a pidfd, an inotify, a unix socket):
//   bool ready = co_await Readable(fd, in(5s));     // false: the deadline passed
class Readable {
 public:
  Readable(int fd, Deadline when) : fd_(fd), when_(when) {}
  Readable(const Readable&) = delete;
  ~Readable();
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  bool await_resume() const noexcept { return ready_; }

 protected:
  int fd_;
  short what_ = 0x02;  // EV_READ
  Deadline when_;
  event* event_ = nullptr;
  std::coroutine_handle<> waiter_;
  bool ready_ = false;
};

// The same for writing.
class Writable : public Readable {
 public:
  Writable(int fd, Deadline when) : Readable(fd, when) { what_ = 0x04; }  // EV_WRITE
};

}  // namespace postern::io
