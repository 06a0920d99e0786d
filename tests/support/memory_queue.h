#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/store/types.h"

namespace postern::test {

// The bodies of MemoryStore: each goes with the last row or entry that names it.
class MemoryBodies {
 public:
  store::BodyId add(std::string record, std::size_t references) {
    if (references > 0) bodies_[++last_] = {std::move(record), references};
    return last_;
  }
  void refer(store::BodyId id, int by) {
    auto found = bodies_.find(id);
    if (found == bodies_.end()) return;
    found->second.references += static_cast<std::size_t>(by);
    if (found->second.references == 0) bodies_.erase(found);
  }
  const std::string* find(store::BodyId id) const {
    auto found = bodies_.find(id);
    return found == bodies_.end() ? nullptr : &found->second.record;
  }
  std::size_t size() const { return bodies_.size(); }

 private:
  struct Body {
    std::string record;
    std::size_t references = 0;
  };
  std::map<store::BodyId, Body> bodies_;
  store::BodyId last_ = 0;
};

// The outgoing queue of MemoryStore, by the contracts of store::Delivery and QueueChange.
class MemoryQueue {
 public:
  // Notes in `out` what is gone; false: refused.
  bool allows(const std::vector<store::QueueChange>& changes, store::Delivered& out) const {
    for (const auto& change : changes) {
      if (entries_.contains(change.id)) continue;
      out.gone.push_back(change.id);
      if (!change.required) continue;
      out.outcome = store::Outcome::cannot;
      out.text = "queue entry " + std::to_string(change.id) + " is gone";
    }
    return out.ok();
  }
  store::QueueId add(store::QueueEntry entry) {
    entry.id = ++last_;
    entries_[last_] = std::move(entry);
    return last_;
  }
  void change(const std::vector<store::QueueChange>& changes, MemoryBodies& bodies) {
    for (const auto& change : changes) {
      auto found = entries_.find(change.id);
      if (found == entries_.end()) continue;
      auto& entry = found->second;
      if (change.due) entry.due = *change.due;
      if (change.held) entry.held = *change.held;
      if (change.state) entry.state = *change.state;
      if (!change.remove) continue;
      bodies.refer(entry.body, -1);
      entries_.erase(found);
    }
  }
  std::vector<store::QueueEntry> page(store::QueueId from, std::size_t limit) const {
    std::vector<store::QueueEntry> out;
    for (auto at = entries_.lower_bound(from); at != entries_.end() && out.size() < limit; ++at) out.push_back(at->second);
    return out;
  }
  std::size_t size() const { return entries_.size(); }
  const store::QueueEntry* find(store::QueueId id) const {
    auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::map<store::QueueId, store::QueueEntry> entries_;
  store::QueueId last_ = 0;
};

}  // namespace postern::test
