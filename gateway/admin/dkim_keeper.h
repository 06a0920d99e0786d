#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/directory/directory.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/signing/key_ring.h"
#include "gateway/signing/life.h"
#include "gateway/store/store.h"

namespace postern::admin {

// Looks after the DKIM keys while the gateway runs: whether their records are in DNS, who signs, who is too old.
// What changes is told to the postmaster.  One loop's.
class DkimKeeper {
 public:
  struct Parts {
    const config::Config& config;       // as it is now: read anew each round
    store::Store& store;
    signing::KeyRing& keys;
    const directory::Directory& directory;
    io::WorkerPool& workers;
    std::function<std::unique_ptr<dns::Resolver>()> resolver;   // a new one with an empty cache
    delivery::Deliverer* deliverer = nullptr;   // of notes that leave the house
  };
  explicit DkimKeeper(Parts parts) : parts_(std::move(parts)) {}
  DkimKeeper(const DkimKeeper&) = delete;

  // One round each minute until it is cancelled; each key is looked for every few minutes while it waits, else hourly.
  io::Task<void> run();
  // What is due at `now`; `steady` is when that is by the clock that nobody turns.
  io::Task<void> round(Time now, Deadline steady);

 private:
  bool is_ours(const std::string& domain) const;   // no longer: its keys are left as they are
  io::Task<void> rotate(Time now);
  io::Task<void> apply(signing::Changes changes);
  std::vector<store::Item> mail(const std::vector<signing::Note>& notes) const;

  Parts parts_;
  std::map<std::string, Deadline, std::less<>> next_look_;   // by record name
};

// Notes as messages to the postmaster.
using Mail = std::function<std::vector<store::Item>(const std::vector<signing::Note>&)>;

// Looks for the records of these keys, all at once, and stores what follows from it, of each that is still there; with
// the notes as `mail` makes messages of them.  An Error: a change could not be stored.
io::Task<Status> look_for_keys(store::Store& store, signing::KeyRing& ring, dns::Resolver& resolver, signing::Keys keys, Time now,
                               Mail mail, Deadline deadline);

}  // namespace postern::admin
