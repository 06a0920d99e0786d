// The counts of Bayes in memory.  A message asks for some hundred tokens at once; from the rows of the store that took some
// hundred times as long, thirty times what the whole of Bayes may take (tests/bench/bayes_store).
#include "filters/bayes_table.h"

#include <algorithm>
#include <mutex>

#include "filters/bayes_collect.h"
#include "gateway/base/check.h"

namespace postern::filters {
namespace {

constexpr std::size_t kFirstSlots = 4096;

// Fuller than this, chains of taken slots become long.
constexpr bool is_full(std::size_t used, std::size_t slots) { return used * 100 > slots * 72; }

std::size_t home_of(BayesKey key, std::size_t slots) { return (key * 0x9e3779b97f4a7c15ULL >> 20) & (slots - 1); }

}  // namespace

BayesKey bayes_key(BayesToken token, std::uint64_t user) {
  BayesKey key = user == 0 ? token & kBayesKeyMask : bayes_mix(token ^ bayes_mix(user)) & kBayesKeyMask;
  return key == 0 ? 1 : key;
}

BayesTable::BayesTable(std::size_t most) : most_(most), slots_(kFirstSlots) {}

BayesTable::Slot BayesTable::packed(BayesKey key, const BayesCounts& counts) {
  Slot slot;
  slot.low = key | std::uint64_t{counts.spam & 0xffffU} << kBayesTokenBits;
  slot.high = std::uint64_t{counts.spam >> 16} | std::uint64_t{counts.ham} << 8 | std::uint64_t{counts.born} << 32 | std::uint64_t{counts.seen} << 48;
  return slot;
}

BayesCounts BayesTable::unpacked(const Slot& slot) {
  BayesCounts counts;
  counts.spam = static_cast<std::uint32_t>(slot.low >> kBayesTokenBits | (slot.high & 0xffU) << 16);
  counts.ham = static_cast<std::uint32_t>(slot.high >> 8 & 0xffffffU);
  counts.born = static_cast<std::uint16_t>(slot.high >> 32);
  counts.seen = static_cast<std::uint16_t>(slot.high >> 48);
  return counts;
}

std::size_t BayesTable::place_of(BayesKey key) const {
  std::size_t place = home_of(key, slots_.size());
  while (slots_[place].low != 0 && key_of(slots_[place]) != key) place = (place + 1) & (slots_.size() - 1);
  return place;
}

void BayesTable::find(std::span<const BayesKey> keys, std::span<BayesCounts> out) const {
  CHECK(keys.size() == out.size());
  constexpr std::size_t kAhead = 12;
  std::shared_lock lock(mutex_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i + kAhead < keys.size()) __builtin_prefetch(&slots_[home_of(keys[i + kAhead], slots_.size())]);
    const Slot& slot = slots_[place_of(keys[i])];
    out[i] = slot.low != 0 ? unpacked(slot) : BayesCounts();
  }
}

BayesCounts BayesTable::find(BayesKey key) const {
  BayesCounts out;
  find({&key, 1}, {&out, 1});
  return out;
}

bool BayesTable::set(BayesKey key, const BayesCounts& counts) {
  CHECK(key != 0 && key <= kBayesKeyMask && counts.spam <= kMostBayesCount && counts.ham <= kMostBayesCount);
  std::size_t place = place_of(key);   // nobody else writes
  bool there = slots_[place].low != 0;
  bool none = counts.spam == 0 && counts.ham == 0;
  if (!there && none) return true;
  if (!there && used_ >= most_) return false;
  if (!there && is_full(used_ + 1, slots_.size())) {
    grow();
    place = place_of(key);
  }
  std::unique_lock lock(mutex_);
  if (none) {
    erase(place);
  } else {
    slots_[place] = packed(key, counts);
    used_ += there ? 0 : 1;
  }
  return true;
}

// Built beside the old one while others read that; they wait only for the exchange.
void BayesTable::grow() {
  std::vector<Slot> larger(slots_.size() * 2);
  for (const Slot& slot : slots_) {
    if (slot.low == 0) continue;
    std::size_t place = home_of(key_of(slot), larger.size());
    while (larger[place].low != 0) place = (place + 1) & (larger.size() - 1);
    larger[place] = slot;
  }
  std::unique_lock lock(mutex_);
  slots_.swap(larger);
}

// What stands behind moves up, so that no search ends too early.
void BayesTable::erase(std::size_t place) {
  std::size_t mask = slots_.size() - 1;
  for (std::size_t next = (place + 1) & mask; slots_[next].low != 0; next = (next + 1) & mask) {
    std::size_t home = home_of(key_of(slots_[next]), slots_.size());
    bool stays = ((next - home) & mask) < ((next - place) & mask);
    if (stays) continue;
    slots_[place] = slots_[next];
    place = next;
  }
  slots_[place] = Slot();
  --used_;
}

std::size_t BayesTable::size() const {
  std::shared_lock lock(mutex_);
  return used_;
}

std::size_t BayesTable::octets() const {
  std::shared_lock lock(mutex_);
  return slots_.size() * sizeof(Slot);
}

std::size_t BayesTable::sweep(std::size_t from, std::size_t slots, const std::function<bool(const BayesCounts&)>& stale,
                              std::vector<BayesKey>& out) const {
  std::shared_lock lock(mutex_);
  std::size_t end = std::min(slots_.size(), from + slots);
  for (std::size_t i = std::min(from, end); i < end; ++i) {
    if (slots_[i].low != 0 && stale(unpacked(slots_[i]))) out.push_back(key_of(slots_[i]));
  }
  return end == slots_.size() ? 0 : end;
}

void BayesTable::clear() {
  std::vector<Slot> empty(kFirstSlots);
  std::unique_lock lock(mutex_);
  slots_.swap(empty);
  used_ = 0;
}

}  // namespace postern::filters
