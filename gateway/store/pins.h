#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace postern::store {

// Segments that must not go while somebody copies them.  Any thread; one pin at a time.
class Pins {
 public:
  // Whether it may go now; if not it is told to whoever lets the pin go.
  bool may_go(std::uint64_t segment) {
    std::lock_guard lock(state_->mutex);
    if (!state_->held.contains(segment)) return true;
    state_->waiting.push_back(segment);
    return false;
  }

  // Holds `segments` until the value dies, then gives those that were to go meanwhile to `take`.  May outlive the Pins:
  // `take` is not called any more then, and the next start of the store finds them.
  std::shared_ptr<const void> hold(std::set<std::uint64_t> segments, std::function<void(std::uint64_t)> take) {
    {
      std::lock_guard lock(state_->mutex);
      state_->held = std::move(segments);
    }
    return {state_.get(), [state = state_, take = std::move(take)](const void*) {
              std::lock_guard end(state->closing);
              std::vector<std::uint64_t> waiting;
              {
                std::lock_guard lock(state->mutex);
                state->held.clear();
                waiting.swap(state->waiting);
              }
              if (state->closed) return;
              for (auto segment : waiting) take(segment);
            }};
  }
  ~Pins() {
    std::lock_guard end(state_->closing);
    state_->closed = true;
  }

 private:
  struct State {
    std::mutex mutex;
    std::set<std::uint64_t> held;
    std::vector<std::uint64_t> waiting;
    std::mutex closing;   // held while a pin ends, and when there is nobody left to take
    bool closed = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace postern::store
