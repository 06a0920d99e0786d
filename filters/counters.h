#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/clock.h"

namespace postern::filters {

// What rules remember from message to message: count(key, window), remember(key, ttl), recall(key).
// Shared by all loops, bounded (the entry that was used longest ago goes first), and kept over a
// restart: the owner writes `changed()` to the store and gives them back to `load()`.
// Safe from any thread.
class Counters {
 public:
  static constexpr std::size_t kMaxKey = 512;      // longer keys are cut
  static constexpr std::size_t kMaxValue = 1024;

  explicit Counters(const Clock& clock = Clock::system(), std::size_t max_entries = 200'000)
      : clock_(clock), max_entries_(max_entries) {}

  // Events of `key` in the window that ends now.  The window slides in steps of a twelfth, so an
  // event counts for between 11/12 and all of it.
  std::uint64_t count(std::string_view key, std::chrono::seconds window) const;
  void add(std::string_view key, std::chrono::seconds window, std::uint64_t events = 1);

  std::optional<std::string> recall(std::string_view key) const;
  void remember(std::string_view key, std::chrono::seconds ttl, std::string value);

  // A row for the store.  An empty value: the row is to be erased.
  struct Row {
    std::string key;
    std::string value;
  };
  // Rows that changed since the last call, at most `limit`.
  std::vector<Row> changed(std::size_t limit = 10'000);
  // At start, before anything is counted; rows that have expired or do not parse are left out.
  void load(const std::vector<Row>& rows);
  std::size_t size() const;

 private:
  static constexpr int kSlots = 12;
  struct Entry {
    std::int64_t expires = 0;         // unix seconds
    std::int64_t slot_seconds = 0;    // 0: a remembered value
    std::int64_t newest = 0;          // number of the newest slot
    std::uint32_t slots[kSlots] = {};
    std::string value;
    bool dirty = false;
    std::list<std::string>::iterator age;
  };
  Entry& touch(const std::string& key);
  void evict();
  void mark(const std::string& key, Entry& entry);
  static std::string encode(const Entry& entry);
  static bool decode(std::string_view value, Entry& entry);
  static void slide(Entry& entry, std::int64_t slot);

  const Clock& clock_;
  std::size_t max_entries_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> ages_;             // front: used last
  std::vector<std::string> dirty_;
};

}  // namespace postern::filters
