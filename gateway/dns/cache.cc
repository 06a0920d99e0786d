// The cache of DNS answers: RFC 1035 7.4, RFC 2308 for what does not exist, RFC 9520 for failures.
#include "gateway/dns/cache.h"

#include <algorithm>

namespace postern::dns {
namespace {

std::string key_of(std::string_view name, Type type) {
  std::string key;
  key.reserve(name.size() + 2);
  key += static_cast<char>(static_cast<unsigned>(type) >> 8);
  key += static_cast<char>(static_cast<unsigned>(type) & 0xff);
  key += name;
  return key;
}

// Of an entry with its list node, its index node and the answer behind a shared pointer.
std::size_t weight(const std::string& key, const Answer& answer) {
  std::size_t octets = 256 + key.size();
  for (const auto& record : answer.records) octets += sizeof(Record) + record.text.size();
  return octets;
}

}  // namespace

Cache::Cache(CacheLimits limits) : limits_(limits) {}

void Cache::Shard::drop(std::list<Entry>::iterator entry) {
  octets -= entry->octets;
  index.erase(entry->key);
  entries.erase(entry);
}

std::chrono::seconds Cache::lifetime(const Answer& answer) const {
  switch (answer.status) {
    case Status::ok: return std::min(answer.ttl, limits_.positive);
    case Status::nodata:
    case Status::nxdomain: return std::min(answer.ttl, limits_.negative);
    case Status::servfail:
    case Status::bad: return limits_.failure;
    case Status::timeout: break;
  }
  return std::chrono::seconds(0);
}

std::optional<Answer> Cache::find(std::string_view name, Type type, Deadline now) {
  auto key = key_of(name, type);
  auto& shard = shard_of(key);
  std::shared_ptr<const Answer> found;
  std::chrono::seconds age{0};
  {
    std::lock_guard lock(shard.mutex);
    auto entry = shard.index.find(key);
    if (entry == shard.index.end()) {
      ++shard.misses;
      return std::nullopt;
    }
    auto place = entry->second;
    if (place->expires <= now) {
      shard.drop(place);
      ++shard.misses;
      return std::nullopt;
    }
    ++shard.hits;
    shard.entries.splice(shard.entries.begin(), shard.entries, place);
    found = place->answer;
    age = std::chrono::duration_cast<std::chrono::seconds>(now - place->kept);
  }
  Answer out = *found;
  out.ttl = std::max(out.ttl - age, std::chrono::seconds(0));
  for (auto& record : out.records) record.ttl -= std::min<std::uint32_t>(record.ttl, static_cast<std::uint32_t>(age.count()));
  return out;
}

void Cache::keep(std::string_view name, Type type, const Answer& answer, Deadline now) {
  auto life = lifetime(answer);
  if (life <= std::chrono::seconds(0)) return;
  Entry entry;
  entry.key = key_of(name, type);
  entry.octets = weight(entry.key, answer);
  std::size_t room = limits_.octets / kShards;
  if (entry.octets > room) return;
  entry.answer = std::make_shared<const Answer>(answer);
  entry.kept = now;
  entry.expires = now + life;

  auto& shard = shard_of(entry.key);
  std::lock_guard lock(shard.mutex);
  auto old = shard.index.find(entry.key);
  if (old != shard.index.end()) shard.drop(old->second);
  while (shard.octets + entry.octets > room) shard.drop(std::prev(shard.entries.end()));
  shard.octets += entry.octets;
  shard.entries.push_front(std::move(entry));
  shard.index.emplace(shard.entries.front().key, shard.entries.begin());
}

void Cache::clear() {
  for (auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    shard.index.clear();
    shard.entries.clear();
    shard.octets = 0;
  }
}

Cache::Figures Cache::figures() {
  Figures out;
  for (auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    out.hits += shard.hits;
    out.misses += shard.misses;
    out.entries += shard.entries.size();
    out.octets += shard.octets;
  }
  return out;
}

}  // namespace postern::dns
