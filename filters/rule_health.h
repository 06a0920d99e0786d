#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"

namespace postern::filters {

// Which rules fail, and when one has to be switched off: it failed on more than half of its runs,
// on at least three messages from three networks, in ten minutes.  That is a broken rule; a hostile
// mail alone, however often it is sent, is not enough.  `required` rules are never switched off.
// Shared by all loops.
class RuleHealth {
 public:
  RuleHealth(std::vector<bool> required);

  struct Failure {
    bool switched_off = false;       // by this failure
    std::uint64_t errors = 0;        // in the last ten minutes
  };
  void ran(const std::vector<std::size_t>& rules, Time now);
  Failure failed(std::size_t rule, Time now, Network network, std::string message, std::string what);

  bool off(std::size_t rule) const;
  // Why it is off, or "".
  std::string reason(std::size_t rule) const;

  struct State {
    std::uint64_t runs = 0;          // since the rule set was loaded
    std::uint64_t errors = 0;
    bool off = false;
    std::string reason;
  };
  std::vector<State> states() const;

 private:
  static constexpr int kMinutes = 10;
  struct Minute {
    std::int64_t number = -1;
    std::uint32_t runs = 0;
    std::uint32_t errors = 0;
  };
  struct Seen {
    Time when{};
    Network network;
    std::string message;
  };
  struct Entry {
    bool required = false;
    State state;
    Minute minutes[kMinutes];
    std::vector<Seen> failures;      // the newest ones, at most kMaxSeen
  };
  static constexpr std::size_t kMaxSeen = 64;
  static Minute& minute(Entry& entry, Time now);

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace postern::filters
