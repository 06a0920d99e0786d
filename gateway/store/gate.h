#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

namespace postern::store {

// Counts the jobs that workers hold for us; wait() until none is left.  A job that is dropped unrun
// lets go of its pass as well.
class Gate {
 public:
  using Pass = std::shared_ptr<const void>;
  Pass enter() {
    {
      std::lock_guard lock(state_->mutex);
      ++state_->inside;
    }
    return {state_.get(), [state = state_](const void*) {
              std::lock_guard lock(state->mutex);
              if (--state->inside == 0) state->empty.notify_all();
            }};
  }
  void wait() {
    std::unique_lock lock(state_->mutex);
    state_->empty.wait(lock, [this] { return state_->inside == 0; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable empty;
    std::size_t inside = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace postern::store
