#pragma once

#include <memory>
#include <vector>

#include "gateway/store/committer.h"
#include "gateway/store/store.h"

// COPY and MOVE.  RFC 3501 6.4.7, RFC 6851.
namespace postern::store {

// `release`: StoreOptions::release.
std::shared_ptr<JobWith<Copied>> copy_job(MailboxId from, std::vector<Uid> uids, MailboxId to, ReleaseOnward* release);
std::shared_ptr<JobWith<Copied>> move_job(MailboxId from, std::vector<Uid> uids, MailboxId to, ReleaseOnward* release);

// Moves a slice of all messages of a mailbox, whatever the quarantine says (RENAME of INBOX).
// true: it was the last.
bool move_slice(Group& group, MailboxId from, MailboxId to);

}  // namespace postern::store
