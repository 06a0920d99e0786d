// One-shot waits on a descriptor.
#include "gateway/io/readiness.h"

#include <event2/event.h>

#include "gateway/io/edge.h"
#include "gateway/io/loop.h"

namespace postern::io {

Readable::~Readable() {
  if (event_ != nullptr) event_free(event_);
}

void Readable::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  event_ = event_new(
      Loop::current().base(), fd_, EV_READ,
      [](int, short what, void* self) {
        auto* wait = static_cast<Readable*>(self);
        wait->ready_ = (what & EV_READ) != 0;
        wait->waiter_.resume();
      },
      this);
  if (when_ == Deadline::max()) {
    event_add(event_, nullptr);
    return;
  }
  auto wait = time_left(when_);
  event_add(event_, &wait);
}

}  // namespace postern::io
