#pragma once

#include <map>
#include <vector>

#include "gateway/store/group.h"

// The outgoing queue's part of a delivery.
namespace postern::store {

// Adds the entry under the next id; its reference to the body is counted by whoever adds the body.
QueueId enqueue(Group& group, QueueEntry entry);

// The entries that `changes` name and that are there in this group.
using QueueEntries = std::map<QueueId, QueueEntry>;
QueueEntries find_entries(Group& group, const std::vector<QueueChange>& changes);

void change_entries(Group& group, const std::vector<QueueChange>& changes, QueueEntries entries);

}  // namespace postern::store
