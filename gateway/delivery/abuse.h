#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/delivery/plan.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/delivery/suppression.h"
#include "gateway/directory/directory.h"
#include "gateway/io/task.h"
#include "gateway/mail/feedback.h"
#include "gateway/smtp_client/outcome.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// What went wrong with a user's mail.  At most 1000 of a kind are remembered, for a day.
enum class Trouble { held, bounce, complaint };   // held: by the rules, or refused, or called spam
struct Troubles {
  std::uint64_t held = 0, bounces = 0, complaints = 0;
};

// For status and /metrics.
struct AbuseFigures {
  std::atomic<std::uint64_t> held{0}, bounces{0}, complaints{0};   // of mail of ours
  std::atomic<std::uint64_t> unproved{0};                          // reports on mail that we never sent
  std::atomic<std::uint64_t> alarms{0}, refused{0};                // refused: RCPT of a user to a suppressed address
};

// The abuse desk: bounces and complaints about mail of our users, and what follows from them.  Whom a user should
// not write to any more is suppressed; a user whose mail makes trouble is an alarm for the postmaster.  One for the whole
// program; safe from any thread.  It lies in general rows of the store beside those of Suppressions:
//   abuse:<account>   the times of a user's troubles, and of the last alarm
//
// A report proves itself by a message that we sent: the header in it bears an id in a Received field of ours, and the
// trace of that id knows its sender, its recipients and its Message-ID.  So nobody but who got a mail of ours can complain
// of it, and what is invented is delivered like any mail and counts for nothing.
class AbuseDesk {
 public:
  struct Parts {
    store::Store& store;
    const directory::Directory& directory;
    SendLedger* ledger = nullptr;   // stops users; nullptr: nobody is stopped
    std::string hostname;
  };
  explicit AbuseDesk(Parts parts, const Clock& clock = Clock::system()) : parts_(std::move(parts)), clock_(clock) {}

  // At start.  A damaged row is logged and left out.
  io::Task<Status> load();
  void configure(const config::Abuse& settings);

  // What is to be committed together with the mail that it came of; if that fails, not_committed().
  struct Noted {
    std::vector<store::Row> rows;
    std::vector<store::Item> mail;   // to the postmaster

   private:
    friend class AbuseDesk;
    struct Alarm {
      store::AccountId account = 0;
      Time before{};                 // when the last one was
      std::optional<SendLedger::Counted> stop;
    };
    std::vector<Alarm> alarms_;
    std::vector<std::pair<store::AccountId, std::int64_t>> held_;
  };

  // A message that was judged just now: a user's own that the rules held, or one that comes in and is a report.
  io::Task<Noted> look_at(std::shared_ptr<const Judged> message);

  // Recipients of a message of the queue whom its host does not have; see is_dead().
  struct Refusal {
    std::string address;
    std::string words;
  };
  io::Task<Noted> refused(std::string message_id, std::vector<Refusal> refusals);
  // RFC 3463 X.1.1 and its like: no such mailbox or domain, or it is closed; not what says that we are not wanted.
  static bool is_dead(std::string_view status);
  static bool is_dead(const smtp_client::Outcome& outcome);
  // Hosts have taken a message for these: what is to be written down, mostly nothing.
  std::vector<store::Row> accepted(const std::vector<std::string>& addresses);

  void not_committed(const Noted& noted);

  // Whether this user may write to an address elsewhere.
  std::optional<Suppression> suppressed(store::AccountId account, std::string_view address) const;
  void count_refused() { ++figures_.refused; }
  std::vector<Suppression> suppressions() const;
  io::Task<store::Change> suppress(Suppression suppression);
  // How many were lifted.
  struct Lifted : store::Change {
    std::size_t count = 0;
  };
  io::Task<Lifted> lift(std::string address, std::optional<store::AccountId> account);

  // Of the last 24 hours.
  Troubles troubles(store::AccountId account) const;
  struct AlarmOfToday {
    store::AccountId account = 0;
    Time when{};
    std::string what;
  };
  std::vector<AlarmOfToday> alarms() const;   // of the last 24 hours
  // He begins anew, with nothing counted.
  io::Task<store::Change> forget(store::AccountId account);
  const AbuseFigures& figures() const { return figures_; }

  // Once a day, for ever: forgets what is over, and what is of accounts that are gone.
  io::Task<void> keep();
  io::Task<Status> sweep();

 private:
  static constexpr std::size_t kMost = 1000;   // times of a kind
  struct Record {
    std::array<std::deque<std::int64_t>, 3> times;   // by Trouble
    std::deque<std::string> complained;              // of which messages, beside the times: each counts once
    Time alarmed{};
    std::string what;
  };
  // A message that we sent, by its trace.
  struct Proof {
    std::string id;
    store::AccountId account = 0;   // of the user who sent it; 0: a server of ours did
    std::set<std::string> recipients;   // lower case
  };
  // An alarm before it is a mail.
  struct Raised {
    store::Account account;
    std::string what, message;
    bool stops = false, is_stopped = false;   // by this alarm; before it
  };

  io::Task<Result<std::optional<Proof>>> prove(std::string id, std::string message_id);
  io::Task<Noted> reported(std::shared_ptr<const Judged> message);
  void take_complaint(const mail::Feedback& feedback, const Proof& proof, const Judged& report, Noted& noted);
  std::string take_bounces(const mail::Feedback& feedback, const Proof& proof, Noted& noted);
  void bounced(const Suppressions::Bounce& bounce, const Proof& proof, Noted& noted, std::vector<Raised>& raised);
  void touch(store::AccountId account, std::optional<Trouble> trouble, const std::string& message, Noted& noted, std::vector<Raised>& raised);
  std::string too_much(const Record& record, std::int64_t now) const;
  static void prune(Record& record, std::int64_t now);
  void tell(const std::vector<Raised>& raised, Noted& noted) const;
  io::Task<Status> load_rows(std::string prefix);
  bool take(const store::Row& row);
  static std::string encode(const Record& record);
  static bool decode(std::string_view value, Record& record);

  Parts parts_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  config::Abuse settings_;
  Suppressions suppressions_;
  std::map<store::AccountId, Record> records_;
  AbuseFigures figures_;
};

}  // namespace postern::delivery
