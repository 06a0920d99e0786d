#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"

namespace postern::dns {

struct CacheLimits {
  std::size_t octets = 32U << 20;            // of all entries together, book-keeping estimated
  std::chrono::seconds positive{86'400};     // RFC 8767 4: a day is enough
  std::chrono::seconds negative{3'600};      // RFC 2308 5: one to three hours
  std::chrono::seconds failure{1};           // RFC 9520 3.2: at least a second; a dead server is not hammered
};

// Answers by name and type, for all loops.  Safe from any thread; a lock is held for one look-up in
// one of 16 shards.  When a shard is full, what was not asked for the longest time goes.
class Cache {
 public:
  explicit Cache(CacheLimits limits = {});

  // `name` canonical.  The TTLs are what is left at `now`.
  std::optional<Answer> find(std::string_view name, Type type, Deadline now);
  // Answers without a TTL and timeouts are not kept (a timeout is the asker's deadline, not a fact).
  void keep(std::string_view name, Type type, const Answer& answer, Deadline now);
  void clear();

  struct Figures {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::size_t entries = 0;
    std::size_t octets = 0;
  };
  Figures figures();

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Answer> answer;
    Deadline kept;
    Deadline expires;
    std::size_t octets = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::list<Entry> entries;  // the last asked in front
    std::unordered_map<std::string_view, std::list<Entry>::iterator> index;  // views into the entries' keys
    std::size_t octets = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    void drop(std::list<Entry>::iterator entry);
  };
  static constexpr std::size_t kShards = 16;
  Shard& shard_of(std::string_view key) { return shards_[std::hash<std::string_view>{}(key) % kShards]; }
  std::chrono::seconds lifetime(const Answer& answer) const;

  CacheLimits limits_;
  std::array<Shard, kShards> shards_;
};

}  // namespace postern::dns
