#pragma once

#include <memory>
#include <string>

#include "gateway/delivery/plan.h"
#include "gateway/directory/directory.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// Brings judged messages into the store.  One for the whole program; usable on any loop.
class Deliverer {
 public:
  // `quarantine`: the account that owns the originals of class virus.
  Deliverer(store::Store& store, const directory::Directory& directory, std::string hostname, store::AccountId quarantine)
      : store_(store), directory_(directory), hostname_(std::move(hostname)), quarantine_(quarantine) {}

  // One atomic, durable commit for all recipients: when it is done the caller may say 250.
  // Otherwise nothing was stored.  The trace goes with it; `reply` is the text that will be said.
  // A copy that a rule redirects to nobody of ours is held for its recipient, class policy: `message` says so then.
  io::Task<store::Change> deliver(std::shared_ptr<Judged> message, std::string reply);

  // The trace of a message that was refused or deferred; a failure is logged, the refusal stands.
  io::Task<void> record(std::shared_ptr<const Judged> message, std::string reply);

 private:
  store::AccountId redirected(Judged& message, std::size_t recipient) const;

  store::Store& store_;
  const directory::Directory& directory_;
  std::string hostname_;
  store::AccountId quarantine_;
};

}  // namespace postern::delivery
