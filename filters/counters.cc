// Memory of rules: sliding counters and remembered values, bounded.
#include "filters/counters.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Counters of one key with different windows are different counters; values live beside them.
std::string counter_key(std::string_view key, std::chrono::seconds window) {
  return "c" + std::to_string(window.count()) + ":" + std::string(key.substr(0, Counters::kMaxKey));
}
std::string value_key(std::string_view key) { return "v:" + std::string(key.substr(0, Counters::kMaxKey)); }

std::int64_t slot_length(std::chrono::seconds window, int slots) {
  return std::max<std::int64_t>(1, (window.count() + slots - 1) / slots);
}

}  // namespace

std::uint64_t Counters::count(std::string_view key, std::chrono::seconds window) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(counter_key(key, window));
  if (found == entries_.end()) return 0;
  const Entry& entry = found->second;
  std::int64_t slot = to_unix(clock_.now()) / entry.slot_seconds;
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < kSlots; ++i) {
    std::int64_t number = entry.newest - i;
    if (number > slot - kSlots && number <= slot && number >= 0) sum += entry.slots[number % kSlots];
  }
  return sum;
}

void Counters::slide(Entry& entry, std::int64_t slot) {
  if (slot <= entry.newest) return;  // the clock went back: count into the newest slot
  if (slot - entry.newest >= kSlots) {
    std::fill(std::begin(entry.slots), std::end(entry.slots), 0U);
  } else {
    for (std::int64_t number = entry.newest + 1; number <= slot; ++number) entry.slots[number % kSlots] = 0;
  }
  entry.newest = slot;
}

void Counters::add(std::string_view key, std::chrono::seconds window, std::uint64_t events) {
  std::lock_guard lock(mutex_);
  std::string name = counter_key(key, window);
  std::int64_t now = to_unix(clock_.now());
  Entry& entry = touch(name);
  if (entry.slot_seconds == 0) {
    entry.slot_seconds = slot_length(window, kSlots);
    entry.newest = now / entry.slot_seconds;
  }
  slide(entry, now / entry.slot_seconds);
  auto& slot = entry.slots[entry.newest % kSlots];
  slot = static_cast<std::uint32_t>(std::min<std::uint64_t>(UINT32_MAX, slot + events));
  entry.expires = now + entry.slot_seconds * kSlots;
  mark(name, entry);
}

std::optional<std::string> Counters::recall(std::string_view key) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(value_key(key));
  if (found == entries_.end() || found->second.expires <= to_unix(clock_.now())) return std::nullopt;
  return found->second.value;
}

void Counters::remember(std::string_view key, std::chrono::seconds ttl, std::string value) {
  std::lock_guard lock(mutex_);
  std::string name = value_key(key);
  Entry& entry = touch(name);
  entry.value = std::move(value);
  if (entry.value.size() > kMaxValue) entry.value.resize(kMaxValue);
  entry.expires = to_unix(clock_.now()) + ttl.count();
  mark(name, entry);
}

Counters::Entry& Counters::touch(const std::string& key) {
  auto found = entries_.find(key);
  if (found != entries_.end()) {
    ages_.splice(ages_.begin(), ages_, found->second.age);
    return found->second;
  }
  if (entries_.size() >= max_entries_) evict();
  ages_.push_front(key);
  Entry& entry = entries_[key];
  entry.age = ages_.begin();
  return entry;
}

void Counters::evict() {
  std::string oldest = ages_.back();
  auto found = entries_.find(oldest);
  if (!found->second.dirty) dirty_.push_back(oldest);  // so that its row is erased
  ages_.pop_back();
  entries_.erase(found);
}

void Counters::mark(const std::string& key, Entry& entry) {
  if (entry.dirty) return;
  entry.dirty = true;
  dirty_.push_back(key);
}

// "expires slot_seconds newest s0 .. s11 value"
std::string Counters::encode(const Entry& entry) {
  std::string out = std::to_string(entry.expires) + " " + std::to_string(entry.slot_seconds) + " " + std::to_string(entry.newest);
  if (entry.slot_seconds > 0) {
    for (auto slot : entry.slots) out += " " + std::to_string(slot);
  }
  return out + " " + entry.value;
}

bool Counters::decode(std::string_view value, Entry& entry) {
  auto take = [&value]() -> std::optional<std::int64_t> {
    auto space = value.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    auto number = parse_number(value.substr(0, space));
    value.remove_prefix(space + 1);
    if (!number || *number > INT64_MAX) return std::nullopt;
    return static_cast<std::int64_t>(*number);
  };
  auto expires = take();
  auto slot_seconds = take();
  auto newest = take();
  if (!expires || !slot_seconds || !newest) return false;
  entry.expires = *expires;
  entry.slot_seconds = *slot_seconds;
  entry.newest = *newest;
  if (entry.slot_seconds > 0) {
    for (auto& slot : entry.slots) {
      auto number = take();
      if (!number || *number > UINT32_MAX) return false;
      slot = static_cast<std::uint32_t>(*number);
    }
  }
  entry.value = value.substr(0, kMaxValue);
  return true;
}

std::vector<Counters::Row> Counters::changed(std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::int64_t now = to_unix(clock_.now());
  std::vector<Row> rows;
  while (!dirty_.empty() && rows.size() < limit) {
    std::string key = std::move(dirty_.back());
    dirty_.pop_back();
    auto found = entries_.find(key);
    if (found != entries_.end()) found->second.dirty = false;
    if (found == entries_.end() || found->second.expires <= now) {
      rows.push_back({key, ""});
      continue;
    }
    rows.push_back({key, encode(found->second)});
  }
  // What has expired leaves memory and store from the old end.
  while (!ages_.empty() && rows.size() < limit) {
    auto found = entries_.find(ages_.back());
    if (found->second.expires > now) break;
    rows.push_back({found->first, ""});
    entries_.erase(found);
    ages_.pop_back();
  }
  return rows;
}

void Counters::load(const std::vector<Row>& rows) {
  std::lock_guard lock(mutex_);
  std::int64_t now = to_unix(clock_.now());
  for (const Row& row : rows) {
    Entry entry;
    if (row.key.size() > kMaxKey + 32 || !decode(row.value, entry) || entry.expires <= now) continue;
    if (entries_.contains(row.key) || entries_.size() >= max_entries_) continue;
    ages_.push_back(row.key);
    entry.age = std::prev(ages_.end());
    entries_.emplace(row.key, std::move(entry));
  }
}

std::size_t Counters::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace postern::filters
