// The outgoing queue: one row an entry.  Who sends them, and when, is delivery's affair.
#include "gateway/store/queue.h"

namespace postern::store {

QueueId enqueue(Group& group, QueueEntry entry) {
  entry.id = group.next_queue_id();
  group.put(queue_key(entry.id), encode(entry));
  return entry.id;
}

QueueEntries find_entries(Group& group, const std::vector<QueueChange>& changes) {
  QueueEntries entries;
  if (changes.empty()) return entries;
  std::vector<std::string> keys;
  for (const auto& change : changes) keys.push_back(queue_key(change.id));
  auto values = group.get(keys);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!values[i]) continue;
    auto entry = decode_queue(changes[i].id, *values[i]);
    // Not "gone": its body would never be given up, and nobody would hear of it.
    if (!entry) group.fail("the row of queue entry " + std::to_string(changes[i].id) + " is damaged");
    else entries.emplace(entry->id, std::move(*entry));
  }
  return entries;
}

void change_entries(Group& group, const std::vector<QueueChange>& changes, QueueEntries entries) {
  for (const auto& change : changes) {
    auto found = entries.find(change.id);
    if (found == entries.end()) continue;
    auto& entry = found->second;
    if (change.remove) {
      group.erase(queue_key(entry.id));
      group.refer(entry.body, -1);
      entries.erase(found);   // or a second removal would give up somebody else's reference
      continue;
    }
    if (change.due) entry.due = *change.due;
    if (change.held) entry.held = *change.held;
    if (change.state) entry.state = *change.state;
    group.put(queue_key(entry.id), encode(entry));
  }
}

}  // namespace postern::store
