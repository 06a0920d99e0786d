#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/store/types.h"

namespace postern::delivery {

// An address elsewhere to which users of ours may not send now.
struct Suppression {
  enum class Cause { bounces, complaint, administrator };
  store::AccountId account = 0;   // whose mail it gets no more; 0: nobody's
  std::string address;            // lower case
  Cause cause = Cause::bounces;
  Time since{};
  Time until{};                   // Time{}: until it is lifted
  std::string words;              // what the remote said last, what kind of complaint, the administrator's reason
  std::string message;            // our id of the message that it came of; "": none
};
std::string_view name(Suppression::Cause cause);

// The suppressions, and of each address elsewhere that bounced what is to be remembered of it.
//
// An address is suppressed once it bounced for good `suppress_after` times over a day at least: for everybody if our own
// queue heard it once, or if messages of several users came back; else for the one whose messages came back, since a
// report can be written by whoever got one of them.  That a host takes a
// message for it clears what its host refused before.  It clears nothing that came back later from a host that takes
// everything: that is forgotten when messages stay there for five days.  After `suppress_for` it may be tried again, and
// the next bounce within a month of the last ones suppresses it anew.
//
// Not safe for several threads.  What changes is given as rows, to be committed by the caller:
//   suppressed:<account>:<address>   a Suppression; account 0: for everybody
//   bounced:<address>                its bounces
class Suppressions {
 public:
  using Rows = std::vector<store::Row>;

  void configure(const config::Abuse& settings) { settings_ = settings; }

  // A row of the store, at start; false: it is damaged.
  bool take(const store::Row& row);
  static constexpr std::string_view kSuppressed = "suppressed:", kBounced = "bounced:";

  struct Bounce {
    std::string address;
    std::string message;   // our id: it counts once for each
    std::string words;
    bool late = false;     // by a report, of a message that was taken before
    store::AccountId account = 0;   // whose message it was; 0: one of a server of ours
  };
  // False: it was counted before; the rows are given all the same, for the commit may have failed.
  bool bounced(const Bounce& bounce, Time now, Rows& rows);
  void accepted(std::string_view address, Time now, Rows& rows);
  // The same for a complaint, which suppresses the pair until an administrator lifts it.
  bool complained(store::AccountId account, std::string_view address, std::string message, std::string words, Time now, Rows& rows);

  // By an administrator.
  void add(Suppression suppression, Rows& rows);
  // Without an account: all that there is of the address, its bounces too.  How many suppressions were lifted.
  std::size_t lift(std::string_view address, std::optional<store::AccountId> account, Time now, Rows& rows);

  // In force for mail of this user.
  std::optional<Suppression> find(store::AccountId account, std::string_view address, Time now) const;
  std::vector<Suppression> all(Time now) const;
  std::size_t size() const { return suppressed_.size(); }
  bool remembers(std::string_view address) const { return histories_.contains(address); }   // lower case

  // Forgets what is over.  Rows of bounces that are not remembered here any more are the caller's to find.
  void sweep(Time now, Rows& rows);

  static constexpr std::size_t kMostHistories = 100'000;   // above it the oldest are forgotten
  static constexpr std::size_t kMostBounces = 20;          // of an address
  static constexpr std::size_t kMaxAddress = 400;          // octets; of longer ones nothing is remembered

 private:
  struct One {
    std::int64_t time = 0;
    std::string message;
    bool late = false;
    store::AccountId account = 0;
  };
  struct History {
    std::vector<One> bounces;    // in the order of time
    std::int64_t accepted = 0;   // of late ones: since when a message is there and did not come back
    void settle(std::int64_t now);
    bool is_enough(const config::Abuse& settings) const;
    std::optional<store::AccountId> whose() const;   // mail they end; 0: everybody's; nothing: nobody's
  };
  using Key = std::pair<std::string, store::AccountId>;

  bool is_in_force(const Suppression& suppression, Time now) const { return suppression.until == Time{} || now < suppression.until; }
  void put_history(const std::string& address, Rows& rows);
  void put(Suppression suppression, Rows& rows);
  void drop_oldest();
  static std::string encode(const Suppression& suppression);
  static std::string encode(const History& history);

  config::Abuse settings_;
  std::map<Key, Suppression> suppressed_;
  std::map<std::string, History, std::less<>> histories_;
};

}  // namespace postern::delivery
