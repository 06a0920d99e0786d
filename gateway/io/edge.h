#pragma once

#include <event2/event_struct.h>

#include <coroutine>

#include "gateway/base/clock.h"

// For this directory only: it knows libevent.
namespace postern::io {

// At least none and at most thirty days: a deadline of "never" must fit a timeval.
timeval time_left(Deadline when);

// One direction of a descriptor, registered at the first wait and for as long as this lives, so that a wait costs
// no epoll_ctl unless its deadline passes: only its timer moves.  Edge-triggered: a wait is to be entered only after
// the descriptor has said EAGAIN.  One task waits at a time.  To be destroyed before the descriptor is closed and
// before its loop, on the loop's thread.
class Edge {
 public:
  Edge(int fd, short what);   // EV_READ or EV_WRITE; on the loop of this thread
  ~Edge();
  Edge(const Edge&) = delete;

  //   bool ready = co_await edge.wait(in(5s));     // false: the deadline passed
  class Wait {
   public:
    Wait(Edge& edge, Deadline deadline) : edge_(edge), deadline_(deadline) {}
    Wait(const Wait&) = delete;
    ~Wait() { disarm(); }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    bool await_resume() {
      disarm();
      return edge_.fired_;
    }
    bool fired() const { return edge_.fired_; }
    void disarm();

   private:
    Edge& edge_;
    Deadline deadline_;
    bool armed_ = false;
  };
  Wait wait(Deadline deadline) { return Wait(*this, deadline); }

 private:
  event event_{};
  std::coroutine_handle<> waiter_;
  bool added_ = false;
  bool fired_ = false;   // at the last wait: the descriptor was ready, not the deadline over
};

}  // namespace postern::io
