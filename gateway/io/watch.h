#pragma once

#include <chrono>

struct event;

// For a foreign library that owns its descriptors and timers (c-ares): lasting watchers, no coroutine.
// Everything here belongs to one loop's thread and must be destroyed before the Loop.
namespace postern::io {

class Loop;

class FdListener {
 public:
  // May destroy the FdWatch that calls it.
  virtual void on_ready(int fd, bool readable, bool writable) = 0;

 protected:
  ~FdListener() = default;
};

// Tells `listener` each time `fd` is readable or writable, until destroyed or told otherwise.
// Does not own the descriptor; destroy the watch before the descriptor is closed.
class FdWatch {
 public:
  FdWatch(Loop& loop, int fd, FdListener& listener);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  void want(bool reading, bool writing);

 private:
  static void fired(int fd, short what, void* self);
  Loop& loop_;
  FdListener& listener_;
  event* event_;
  short wanted_ = 0;
};

class TimerListener {
 public:
  // May set the timer again; must not destroy it.
  virtual void on_timer() = 0;

 protected:
  ~TimerListener() = default;
};

// Calls `listener` once, `wait` after set(); setting again replaces the time.
class Timer {
 public:
  Timer(Loop& loop, TimerListener& listener);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(std::chrono::milliseconds wait);
  void clear();
  bool is_set() const { return set_; }

 private:
  static void fired(int fd, short what, void* self);
  TimerListener& listener_;
  event* event_;
  bool set_ = false;
};

}  // namespace postern::io
