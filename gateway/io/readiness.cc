// One-shot waits on a descriptor.
#include "gateway/io/readiness.h"

#include <event2/event.h>

#include "gateway/io/loop.h"

namespace postern::io {

static_assert(EV_READ == 0x02 && EV_WRITE == 0x04);

Readable::~Readable() {
  if (event_ != nullptr) event_free(event_);
}

void Readable::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  event_ = event_new(
      Loop::current().base(), fd_, what_,
      [](int, short what, void* self) {
        auto* wait = static_cast<Readable*>(self);
        wait->ready_ = (what & (EV_READ | EV_WRITE)) != 0;
        wait->waiter_.resume();
      },
      this);
  if (when_ == Deadline::max()) {
    event_add(event_, nullptr);
    return;
  }
  auto left = std::chrono::duration_cast<std::chrono::microseconds>(when_ - std::chrono::steady_clock::now()).count();
  if (left < 0) left = 0;
  timeval wait{.tv_sec = left / 1'000'000, .tv_usec = left % 1'000'000};
  event_add(event_, &wait);
}

}  // namespace postern::io
