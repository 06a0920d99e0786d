#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/store/kv.h"
#include "gateway/store/view.h"

namespace postern::store {

// The mailboxes that somebody watches: their newest views, and whom to wake.  A view is loaded by
// the first watch, kept up to date by publish(), and freed with the last watch.
class Watches {
 public:
  // Any thread but a loop's: reads rows.  Nothing if there is no such mailbox; an Error if a row
  // cannot be read.  `loop`: where the watch will live and be notified; it must outlive the store.
  Result<std::unique_ptr<MailboxWatch>> watch(MailboxId mailbox, const Kv& rows, io::Loop& loop);
  // Without reading: nullptr if the view is not in memory.
  std::unique_ptr<MailboxWatch> watch_loaded(MailboxId mailbox, io::Loop& loop);
  // After the rows were opened anew, while nothing is committed: the views become what the rows say.  A group
  // whose writing failed may have been durable after all.  Blocks.
  Status reload(const Kv& rows);
  // The committer, after its group is durable.
  void publish(std::unordered_map<MailboxId, MailboxEvents>& events);

 private:
  struct Watched;
  class Watch;
  std::shared_ptr<Watched> find_or_add(MailboxId mailbox);

  std::mutex mutex_;
  std::unordered_map<MailboxId, std::weak_ptr<Watched>> watched_;
};

}  // namespace postern::store
