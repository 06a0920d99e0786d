#pragma once

#include <functional>

#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/route.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// Where the good mail of an account goes on to, as OnwardCopy::domain; "": it has a mailbox here.
std::string goes_on_to(const Routes& routes, const store::Account& account);

// What is released to somebody whose mail goes on is sent on: as it was received, under our fields, but without the
// ones that called it spam, or his server would put it away again.  What a moderator lets through goes to its list.
class ReleaseToHost : public store::ReleaseOnward {
 public:
  // `routes` must outlive it; `tell` is called on the committer's thread.
  ReleaseToHost(const Routes& routes, Deliverer::Tell tell) : routes_(routes), tell_(std::move(tell)) {}

  std::optional<store::Onward> onward(const store::Account& account, const std::string& header_prefix, const store::Held& held) override;
  void queued(store::QueueId id, const store::Onward& onward) override;

 private:
  const Routes& routes_;
  Deliverer::Tell tell_;
};

// The folder whose name says what a move there does, for users whose mail goes on; out of the quarantine INBOX and every
// ordinary folder do the same.
inline constexpr std::string_view kReleaseFolder = "Release";
// Makes it, subscribed, where it is not there.  A failure is logged: it is made at the next start.
io::Task<void> make_release_folder(store::Store& store, store::AccountId account);
// For all accounts whose mail goes on.
io::Task<void> make_release_folders(store::Store& store, const Routes& routes);

// The fields before a held copy as they are to stand before a released one.
std::string released_prefix(std::string_view header_prefix);

}  // namespace postern::delivery
