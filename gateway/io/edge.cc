#include "gateway/io/edge.h"

#include <event2/event.h>

#include <algorithm>
#include <utility>

#include "gateway/base/check.h"
#include "gateway/io/loop.h"

namespace postern::io {

timeval time_left(Deadline when) {
  constexpr std::int64_t kFar = 86'400'000'000LL * 30;
  auto left = std::chrono::duration_cast<std::chrono::microseconds>(when - std::chrono::steady_clock::now()).count();
  auto micros = std::clamp<std::int64_t>(left, 0, kFar);
  return {.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
}

Edge::Edge(int fd, short what) {
  event_assign(
      &event_, Loop::current().base(), fd, static_cast<short>(what | EV_ET | EV_PERSIST),
      [](int, short happened, void* self) {
        auto* edge = static_cast<Edge*>(self);
        if (!edge->waiter_) return;
        edge->fired_ = (happened & (EV_READ | EV_WRITE)) != 0;
        std::exchange(edge->waiter_, {}).resume();
      },
      this);
}

Edge::~Edge() {
  if (added_) event_del(&event_);
}

void Edge::Wait::await_suspend(std::coroutine_handle<> waiter) {
  CHECK(!edge_.waiter_);
  edge_.waiter_ = waiter;
  edge_.fired_ = false;
  edge_.added_ = true;
  armed_ = true;
  if (deadline_ == Deadline::max()) {
    event_add(&edge_.event_, nullptr);
    return;
  }
  auto wait = time_left(deadline_);
  event_add(&edge_.event_, &wait);
}

void Edge::Wait::disarm() {
  if (!std::exchange(armed_, false)) return;
  edge_.waiter_ = {};
  event_remove_timer(&edge_.event_);
  // A timer that ran out in this very turn has taken the event out of epoll, and its call is still to come: both
  // are undone, so that the next wait registers anew.
  if (event_pending(&edge_.event_, EV_TIMEOUT, nullptr) != 0) event_del(&edge_.event_);
}

}  // namespace postern::io
