#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/base/clock.h"

namespace postern::directory {

// A set of tokens that forgets: each after its time, the one untouched for longest when it is full.
// Not thread-safe.
class Remembered {
 public:
  Remembered(std::size_t capacity, std::chrono::steady_clock::duration keep) : capacity_(capacity), keep_(keep) {}

  bool knows(std::string_view token, Deadline now) const;
  // Anew from `now`.
  void remember(std::string token, Deadline now);
  std::size_t size() const { return order_.size(); }

 private:
  struct Entry {
    std::string token;
    Deadline until{};
  };
  std::size_t capacity_;
  std::chrono::steady_clock::duration keep_;
  std::list<Entry> order_;   // freshest first; all live equally long, so the last one ends first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> entries_;
};

}  // namespace postern::directory
