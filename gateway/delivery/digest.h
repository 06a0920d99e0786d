#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/config/config.h"
#include "gateway/delivery/digest_text.h"
#include "gateway/directory/link_keys.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {
class Directory;
}

namespace postern::delivery {

class Deliverer;

// Tells users what is new in their quarantines: one mail for each user and time of [digest] `at`, if anything is new.
//
// What he was told of last stands in the row "digest:ACCOUNT", written in one commit with the mail: so a crash neither
// repeats a digest nor loses one.  What came due while the program did not run is sent at its start, once.  The mail is
// our own: never judged, never held, never counted.  One loop's.
class Digests {
 public:
  // All must outlive it; `config` is read at each use.
  struct Parts {
    store::Store& store;
    const directory::Directory& directory;
    Deliverer* deliverer;   // nullptr: only prepare() works
    const directory::LinkKeys& keys;
    const config::Config& config;
    const Clock& clock = Clock::system();
  };
  explicit Digests(Parts parts) : parts_(parts) {}
  Digests(const Digests&) = delete;

  // What is new for a user.
  struct Prepared {
    DigestMail mail;         // no lines: nothing is
    store::MailboxId mailbox = 0;
    store::Uid seen = 0;     // up to which uid
    Time period{};           // of his last digest
  };
  io::Task<Result<Prepared>> prepare(store::Account account);
  // Sends what is new, whatever the time; gives how many messages that were, 0: nothing was sent.
  io::Task<Result<std::size_t>> send_now(store::Account account);

  // Sends what is due; gives how many mails.  An Error: some could not be sent; the rest is done, and the next calls try
  // those again, an hour long.
  io::Task<Result<std::size_t>> send_due();
  // Does so again and again until it is cancelled.
  io::Task<void> run();

 private:
  struct Told;
  class Busy;
  io::Task<Result<Told>> told(store::AccountId account);
  io::Task<Status> add_lines(const directory::LinkTokens& tokens, store::AccountId account, Prepared& out);
  io::Task<Result<std::size_t>> send(store::Account account, std::optional<Time> due);
  io::Task<Result<std::size_t>> send_to_all(Time due);

  // How far the present time of day has come.
  struct Round {
    Time due{};
    std::set<store::AccountId> done;   // users who were told, or of whom there was nothing to tell
    unsigned tries = 0;
  };

  Parts parts_;
  std::set<store::AccountId> busy_;
  Round round_;
};

}  // namespace postern::delivery
