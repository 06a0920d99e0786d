// Lasting watchers on libevent for libraries that drive their own sockets.
#include "gateway/io/watch.h"

#include <event2/event.h>

#include "gateway/base/check.h"
#include "gateway/io/loop.h"

namespace postern::io {

FdWatch::FdWatch(Loop& loop, int fd, FdListener& listener) : loop_(loop), listener_(listener) {
  event_ = event_new(loop.base(), fd, EV_PERSIST, fired, this);
  CHECK(event_ != nullptr);
}

FdWatch::~FdWatch() { event_free(event_); }

void FdWatch::want(bool reading, bool writing) {
  auto wanted = static_cast<short>((reading ? EV_READ : 0) | (writing ? EV_WRITE : 0));
  if (wanted == wanted_) return;
  wanted_ = wanted;
  event_del(event_);
  if (wanted == 0) return;
  event_assign(event_, loop_.base(), event_get_fd(event_), static_cast<short>(wanted | EV_PERSIST), fired, this);
  event_add(event_, nullptr);
}

void FdWatch::fired(int fd, short what, void* self) {
  // The listener may destroy *self: nothing is touched behind the call.
  static_cast<FdWatch*>(self)->listener_.on_ready(fd, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

Timer::Timer(Loop& loop, TimerListener& listener) : listener_(listener) {
  event_ = evtimer_new(loop.base(), fired, this);
  CHECK(event_ != nullptr);
}

Timer::~Timer() { event_free(event_); }

void Timer::set(std::chrono::milliseconds wait) {
  auto millis = wait.count() < 0 ? 0 : wait.count();
  timeval time{.tv_sec = millis / 1000, .tv_usec = (millis % 1000) * 1000};
  evtimer_add(event_, &time);
  set_ = true;
}

void Timer::clear() {
  evtimer_del(event_);
  set_ = false;
}

void Timer::fired(int, short, void* self) {
  auto* timer = static_cast<Timer*>(self);
  timer->set_ = false;
  timer->listener_.on_timer();
}

}  // namespace postern::io
