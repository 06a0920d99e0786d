#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "gateway/base/clock.h"
#include "gateway/store/store.h"

namespace postern::imap {

// Which messages no session was told of yet: \Recent, RFC 3501 2.3.2.
//
// Kept in memory for all sessions of the program.  What was there before the program started counts as told
// of: IMAP4rev2 has dropped \Recent, a row on disk for it would cost more than it is worth.
// Safe from any thread.
class Recent {
 public:
  explicit Recent(Time started) : started_(to_unix(started)) {}

  // The first uid that is recent; `claim`: it is this session's now, and later ones see nothing.
  store::Uid first_recent(const store::MailboxView& view, bool claim);
  // The mailbox was removed.
  void forget(store::MailboxId mailbox);
  // How many there are now, for STATUS.
  std::uint32_t count(const store::MailboxView& view);

 private:
  std::int64_t started_;
  std::mutex mutex_;
  std::unordered_map<store::MailboxId, store::Uid> next_;   // uids from here on were told to nobody
};

}  // namespace postern::imap
