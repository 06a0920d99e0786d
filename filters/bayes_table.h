#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "filters/bayes.h"

namespace postern::filters {

// A token of everybody (user 0) or of one user.  48 bits, never 0: of a message's
// thousand tokens one meets a foreign one of a million about once in thirty thousand messages, and borrows its counts.
using BayesKey = std::uint64_t;
constexpr std::uint64_t kBayesKeyMask = (std::uint64_t{1} << kBayesTokenBits) - 1;
BayesKey bayes_key(BayesToken token, std::uint64_t user);

// Counts of a token never exceed this; the model learns no more before they could.
constexpr std::uint32_t kMostBayesCount = (1U << 24) - 1;

// Counts by token: open addressing, 16 octets a slot.  find() and size() from any thread at any time; what changes the
// table by one thread at a time.
class BayesTable {
 public:
  // At most so many tokens; the memory is 16 octets for each of the next power of two above 1.4 times as many.
  explicit BayesTable(std::size_t most = 1'500'000);

  // The counts of each key, zero when it is unknown; `out` is as long as `keys`.  All under one lock, fetched ahead.
  void find(std::span<const BayesKey> keys, std::span<BayesCounts> out) const;
  BayesCounts find(BayesKey key) const;

  // False: there is no room for a new key.  Counts of 0 and 0 erase it.
  bool set(BayesKey key, const BayesCounts& counts);
  std::size_t size() const;
  std::size_t most() const { return most_; }
  std::size_t octets() const;
  // Looks at `slots` slots from `from` on and gives the keys for which `stale` is true; returns where to go on, 0 at the end.
  std::size_t sweep(std::size_t from, std::size_t slots, const std::function<bool(const BayesCounts&)>& stale, std::vector<BayesKey>& out) const;
  void clear();

 private:
  struct Slot {
    std::uint64_t low = 0;    // the key, and 16 bits of spam
    std::uint64_t high = 0;   // 8 bits of spam, ham, born, seen
  };
  static Slot packed(BayesKey key, const BayesCounts& counts);
  static BayesCounts unpacked(const Slot& slot);
  static BayesKey key_of(const Slot& slot) { return slot.low & kBayesKeyMask; }
  std::size_t place_of(BayesKey key) const;   // its slot, or the empty one where it belongs
  void grow();
  void erase(std::size_t place);

  std::size_t most_;
  std::size_t used_ = 0;
  std::vector<Slot> slots_;
  mutable std::shared_mutex mutex_;
};

}  // namespace postern::filters
