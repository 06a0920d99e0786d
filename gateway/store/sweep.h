#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/store/committer.h"

// Messages that go: EXPUNGE, and what a removed mailbox leaves.
namespace postern::store {

// The messages with \Deleted, of those only `uids` if given; with `whatever` their flags do not count.
std::shared_ptr<JobWith<Expunged>> expunge_job(MailboxId mailbox, std::optional<std::vector<Uid>> uids, bool whatever);

// Removes, slice by slice, the messages of a mailbox that is gone.  Nobody waits for it.
std::shared_ptr<Job> sweep_job(MailboxId doomed);

// How many rows of messages a slice may touch, so that deliveries pass between.  Design 5.
inline constexpr std::size_t kSlice = 500;

}  // namespace postern::store
