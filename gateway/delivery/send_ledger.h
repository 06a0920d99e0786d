#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// Why a user of ours may send no more, until an administrator says otherwise.
struct Stop {
  Time since{};
  std::string reason;   // in words, for him and for the administrator
};

// How much each user has sent lately, to whom he ever wrote, and who was stopped.  One for the whole program; safe from
// any thread.  Everything lies in general rows of the store and outlives the program:
//   sent:<account>              the counts of this hour and this day
//   known:<account>:<address>   somebody in another domain to whom he has written, and on which day last
//   stopped:<account>           a Stop
class SendLedger {
 public:
  explicit SendLedger(store::Store& store, const Clock& clock = Clock::system()) : store_(store), clock_(clock) {}

  // At start: who is stopped.
  io::Task<Status> load();
  void configure(const config::Submission& submission);

  std::optional<Stop> stopped(store::AccountId account) const;
  std::size_t how_many_stopped() const;

  // One message more.  `strangers`: its recipients in other domains than ours.
  struct Counted {
    std::vector<store::Row> rows;   // to be committed together with the message
    std::string over;               // why it is to be held: he is stopped, or was by this message
    bool stops = false;             // by this message
  };
  // An Error: the store cannot be read now.  The arguments are copied; so is what follows.
  io::Task<Result<Counted>> count(store::Account account, std::size_t recipients, std::vector<std::string> strangers);
  // The commit failed: whom it stopped is not.
  void not_committed(store::AccountId account, const Counted& counted);
  // That he knows them from now on: for a message that was held before.
  io::Task<Result<std::vector<store::Row>>> meet(store::AccountId account, std::vector<std::string> strangers);

  io::Task<store::Change> stop(store::AccountId account, std::string reason);
  // The same as a part of another commit: its rows, and not_committed() if that fails.
  Counted stop_with(store::AccountId account, std::string reason);
  // He begins anew, with nothing counted.
  io::Task<store::Change> resume(store::AccountId account);

  // Once a day, for ever: forgets the oldest of whom a user knows too many, whom nobody wrote for a year, and all of
  // accounts that are gone.
  io::Task<void> keep();
  io::Task<Status> sweep();

  static constexpr std::size_t kMostKnown = 20'000;   // of a user

 private:
  // What happened in this span and in the one before; the latter counts as far as it is not past.
  struct Window {
    std::int64_t begin = 0;
    std::uint64_t count = 0, previous = 0;
    void add(std::int64_t now, std::int64_t length, std::uint64_t more);
    std::uint64_t used(std::int64_t now, std::int64_t length) const;
  };
  struct Counts {
    Window messages, recipients, strangers;
  };
  io::Task<Status> load_counts(store::AccountId account);
  io::Task<Result<std::size_t>> meet_into(store::AccountId account, std::vector<std::string> strangers, std::vector<store::Row>& rows);
  std::vector<store::Row> forgotten(std::vector<std::pair<std::uint64_t, std::string>> known, bool account_gone) const;
  io::Task<Status> sweep_known();
  io::Task<Status> sweep_accounts(std::string prefix);
  static std::string encode(const Counts& counts);
  static std::optional<Counts> decode(std::string_view value);

  store::Store& store_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  config::Submission submission_;
  std::map<store::AccountId, Counts> counts_;   // of those who sent since the start
  std::map<store::AccountId, Stop> stops_;
};

}  // namespace postern::delivery
