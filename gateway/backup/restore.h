#pragma once

#include <string>

#include "gateway/backup/folder.h"
#include "gateway/backup/make.h"

namespace postern::backup {

struct WholeOptions {
  bool send_queue = false;        // else its entries come back held
  bool keep_uids = false;         // nobody has used the store since the backup: UIDVALIDITY stays
};

struct Whole {
  std::size_t accounts = 0, mailboxes = 0, segments = 0;
  std::uint64_t messages = 0, octets = 0;
  std::size_t queued = 0;         // entries of the queue
  std::size_t held = 0;           // of them, by us
};

// Whether `data` may take a whole store: it is empty, or an earlier restore into it did not come to its end.
Status may_restore_into(store::Files& files, const std::string& data);

// Puts the whole backup into the folder `data`, which must be there and empty, each file checked while it is copied, and
// makes it a store that may be used again:
//
// UIDVALIDITY of every mailbox changes (RFC 3501 2.3.1.1).  After the moment of the backup UIDs were given that the
// restored store would give again, to other messages, and what was expunged since is back: a client's cache of the lost
// time must not pass for the truth.  Clients load their mail anew, once.  The values come from the clock, a day ahead:
// they must exceed those of an earlier restore, of which the backup cannot know, so a restore also ends in a later second
// than it began in.
//
// Entries of the queue are held: they may have been sent since.
//
// Until all is done and durable the store cannot be opened; to begin again is enough.  Blocks.  No server may run on it.
Result<Whole> restore_whole(store::Files& files, const Folder& folder, const Generation& generation, const std::string& data,
                            WholeOptions options, const Progress& progress);

}  // namespace postern::backup
