// A bounded set whose members expire.
#include "gateway/directory/remembered.h"

namespace postern::directory {

bool Remembered::knows(std::string_view token, Deadline now) const {
  auto at = entries_.find(token);
  return at != entries_.end() && at->second->until > now;
}

void Remembered::remember(std::string token, Deadline now) {
  if (auto at = entries_.find(token); at != entries_.end()) {
    at->second->until = now + keep_;
    order_.splice(order_.begin(), order_, at->second);
    return;
  }
  while (!order_.empty() && (order_.size() >= capacity_ || order_.back().until <= now)) {
    entries_.erase(order_.back().token);
    order_.pop_back();
  }
  order_.emplace_front();
  order_.front().token = std::move(token);
  order_.front().until = now + keep_;
  entries_.emplace(order_.front().token, order_.begin());
}

}  // namespace postern::directory
