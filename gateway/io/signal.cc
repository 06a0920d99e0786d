// Waking of waiting tasks.  Waiters sit in an intrusive list, so a cancelled one leaves in O(1).
#include "gateway/io/signal.h"

#include <event2/event.h>

#include "gateway/io/edge.h"
#include "gateway/io/loop.h"

namespace postern::io {

struct Signal::Waiters {
  Wait* first = nullptr;
  Wait* last = nullptr;
  std::uint64_t turn = 0;   // raised by each notify; a waiter from before it is to wake
  bool posted = false;
};

Signal::Signal() : waiters_(std::make_shared<Waiters>()) {}
Signal::~Signal() = default;

void Signal::notify() {
  auto& list = *waiters_;
  ++list.turn;
  if (list.first == nullptr || list.posted) return;
  list.posted = true;
  Loop::current().post([waiters = waiters_] {
    waiters->posted = false;
    auto turn = waiters->turn;
    while (waiters->first != nullptr && waiters->first->since_ < turn) {
      Wait* wait = waiters->first;
      wait->unlink();
      wait->woken_ = true;
      wait->waiter_.resume();
    }
  });
}

Signal::Wait::~Wait() {
  unlink();
  if (timer_ != nullptr) event_free(timer_);
}

void Signal::Wait::unlink() {
  if (!std::exchange(linked_, false)) return;
  (previous_ != nullptr ? previous_->next_ : waiters_->first) = next_;
  (next_ != nullptr ? next_->previous_ : waiters_->last) = previous_;
  if (timer_ != nullptr) event_del(timer_);
}

void Signal::Wait::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  since_ = waiters_->turn;
  linked_ = true;
  previous_ = waiters_->last;
  next_ = nullptr;
  (previous_ != nullptr ? previous_->next_ : waiters_->first) = this;
  waiters_->last = this;
  if (when_ == Deadline::max()) return;
  timer_ = evtimer_new(
      Loop::current().base(),
      [](int, short, void* self) {
        auto* wait = static_cast<Wait*>(self);
        wait->unlink();
        wait->waiter_.resume();
      },
      this);
  auto wait = time_left(when_);
  evtimer_add(timer_, &wait);
}

}  // namespace postern::io
