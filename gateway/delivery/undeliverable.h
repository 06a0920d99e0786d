#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/directory/directory.h"
#include "gateway/smtp_client/outcome.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// A recipient who will not get the message.
struct Failed {
  Pending who;
  std::string status;        // RFC 3463
  std::string host;          // who said so; "": we did
  std::string diagnostic;    // its words; "": only ours
  std::string why;           // for people
};

// What becomes of mail that cannot be handed on.  A sender who is known to be who he says hears of it by a DSN (RFC
// 3461, 3464); of any other the copy goes to its recipient's quarantine, class undeliverable, and the postmaster is
// told: a DSN to a forged sender hits somebody who has written nothing.  One loop's.
class Undeliverable {
 public:
  Undeliverable(store::Store& store, const directory::Directory& directory, std::string hostname)
      : store_(store), directory_(directory), hostname_(std::move(hostname)) {}

  // Adds what is to be stored, so that it is one commit with the end of the queue's entry.  False: the message cannot be
  // read, so the entry must stay.
  io::Task<bool> add(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Failed> failed);

 private:
  void add_report(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, const std::vector<Failed>& failed,
                  const Octets& record) const;
  io::Task<void> add_copies(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Failed> failed,
                            Octets record);
  void add_note(store::Delivery& delivery, const store::QueueEntry& entry, const std::vector<Failed>& failed);

  store::Store& store_;
  const directory::Directory& directory_;
  std::string hostname_;
  std::map<std::string, Deadline, std::less<>> told_;   // by destination: no further note to the postmaster before
};

}  // namespace postern::delivery
