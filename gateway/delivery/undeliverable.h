#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/report.h"
#include "gateway/directory/directory.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// What is told of mail that is handed on, and what becomes of mail that cannot be.  A sender who is known to be who he
// says hears of it by a DSN (RFC 3461, 3464), as far as he wants to.  Of what failed and is told to nobody the copy goes
// to its recipient's quarantine, class undeliverable, and the postmaster hears of it: there is no silent loss, also not
// for who asked not to be told.  One loop's.
class Undeliverable {
 public:
  Undeliverable(store::Store& store, const directory::Directory& directory, std::string hostname)
      : store_(store), directory_(directory), reports_(directory, hostname), hostname_(std::move(hostname)) {}

  // Adds what is to be stored, so that it is one commit with the end of the queue's entry.  False: the message cannot be
  // read, so the entry must stay.
  io::Task<bool> add(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Fate> fates);

 private:
  io::Task<void> add_copies(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Fate> failed,
                            Octets record);
  void add_note(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, const std::vector<Fate>& failed);

  store::Store& store_;
  const directory::Directory& directory_;
  Reports reports_;
  std::string hostname_;
  std::map<std::string, Deadline, std::less<>> told_;   // by destination: no further note to the postmaster before
};

}  // namespace postern::delivery
