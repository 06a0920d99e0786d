#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/clock.h"

namespace postern::directory {

// Counts failed logins by name, memory bounded.  Not thread-safe: Logins locks.
//
// A count fades to half every `half_life`.  From `free` failures on an attempt is delayed, doubling
// up to `longest_delay`; at `refuse_at` the name is refused for `refusal`.
class Failures {
 public:
  struct Policy {
    double free = 3;
    double refuse_at = 12;
    std::chrono::milliseconds first_delay{500};
    std::chrono::milliseconds longest_delay{8'000};
    std::chrono::seconds refusal{15 * 60};
    std::chrono::seconds half_life{10 * 60};
  };
  struct Standing {
    std::chrono::milliseconds delay{0};
    std::chrono::seconds refused_for{0};   // 0: not refused
  };
  struct Refused {
    std::string name;
    std::chrono::seconds left{0};
  };

  // At most `capacity` names; the one untouched for longest makes room.
  explicit Failures(Policy policy, std::size_t capacity = 50'000) : policy_(policy), capacity_(capacity) {}

  Standing standing(std::string_view name, Deadline now) const;
  // One failure more.
  void add(std::string_view name, Deadline now);
  // Forgets a name; false: nothing was known of it.
  bool forget(std::string_view name);
  std::vector<Refused> refused(Deadline now) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    double count = 0;
    Deadline when{};            // count was true at
    Deadline refused_until{};
  };
  double faded(const Entry& entry, Deadline now) const;

  Policy policy_;
  std::size_t capacity_;
  std::list<Entry> order_;      // freshest first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> entries_;   // keys view into order_
};

}  // namespace postern::directory
