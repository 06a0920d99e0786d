#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/delivery/abuse.h"
#include "gateway/delivery/plan.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/delivery/report.h"
#include "gateway/directory/directory.h"
#include "gateway/io/task.h"
#include "gateway/signing/signer.h"
#include "gateway/store/store.h"

namespace postern::delivery {

class TraceLog;

// An entry of the queue that was committed just now.
struct Queued {
  store::QueueId id = 0;
  std::string destination;
  Time due{};   // 0: now
  std::string sender;   // of the envelope
};

// Brings judged messages into the store.  One for the whole program; usable on any loop.
class Deliverer {
 public:
  using Tell = std::function<void(std::vector<Queued>)>;   // called on the loop of the delivery

  // `quarantine`: the account that owns the originals of class virus.  `signer`: nullptr signs nothing.
  Deliverer(store::Store& store, const directory::Directory& directory, std::string hostname, store::AccountId quarantine, Tell tell = {},
            signing::Signer* signer = nullptr)
      : store_(store), directory_(directory), hostname_(hostname), reports_(directory, std::move(hostname)), quarantine_(quarantine),
        tell_(std::move(tell)), signer_(signer) {}

  // One atomic, durable commit for all recipients: when it is done the caller may say 250.
  // Otherwise nothing was stored.  The trace goes with it; `reply` is the text that will be said.
  // A copy that a rule redirects to nobody of ours is held for its recipient, class policy: `message` says so then.
  // What one of ours sends on to a foreign address goes only if it is good, and not if it was there before: it stays with
  // him, or is held where there is no mailbox.
  // What comes to a mailing list goes to it if it is good and needs no moderator, waits for one, or is held for its first
  // owner.  A recipient whose mail goes on gets an account here when a copy is held for him the first time.
  // A sender who is known and asked for it (RFC 3461) is told in the same commit that his message is in a mailbox.
  // Mail of our users on its way out is counted first; what is too much, and what rules quarantine of it, is held in its
  // sender's own Held, and postmaster is told whom that stopped.  `also`: rows of the same commit.
  // What one of ours sends on has his domain's ARC Set.
  // Copies that go on of what a user or a trusted server sent are signed; those for mailboxes here are not: who reads
  // them needs no proof that we wrote what he has from us.
  io::Task<store::Change> deliver(std::shared_ptr<Judged> message, std::string reply, std::vector<store::Row> also = {});

  // Before the first delivery: counts what users send.  Must outlive the deliverer.
  void count_by(SendLedger& ledger) { ledger_ = &ledger; }
  // Before the first delivery: what the rules held of a user's mail, and reports that come in, are counted there.  Must
  // outlive the deliverer.
  void watch_by(AbuseDesk& desk) { abuse_ = &desk; }
  // Before the first delivery: measures what of the trace rides in deliveries.  Must outlive the deliverer.
  void trace_by(TraceLog& log) { trace_ = &log; }
  void save_to_sent(bool wanted) { save_to_sent_ = wanted; }   // any thread

  // The same for what is left of a message that was handed on (hand_on.h): `plan` with its one entry, of which `rest` is
  // to be queued, if anybody is left in it; `told` is reported to the sender.
  io::Task<store::Change> keep_rest(store::Delivery plan, std::shared_ptr<const Judged> message, QueueState rest, std::vector<Fate> told,
                                    std::string reply);
  const std::string& hostname() const { return hostname_; }
  // Fills in the signatures of a message that goes on, if it is of a user or a trusted server and has none yet.
  io::Task<void> sign(Judged& message);

  // A delivery of our own, made by own_item() say: what goes on is signed, and the queue hears of it.
  io::Task<store::Change> send_own(store::Delivery delivery);

  // The same for a note to the postmaster; a failure is logged.
  io::Task<void> note(store::Delivery note);

  // The trace of a message that was refused or deferred; a failure is logged, the refusal stands.
  io::Task<void> record(std::shared_ptr<const Judged> message, std::string reply);

 private:
  // Whom a rule sends a copy to: an account of ours, or somebody whose mail goes on.
  struct Redirected {
    store::AccountId account = 0;
    OnwardCopy onward;
  };
  class Loops;
  Redirected redirected(Judged& message, std::size_t recipient) const;
  // Where the journal copies go; an address that nobody has is named in `message`, and postmaster gets that copy.
  std::vector<JournalCopy> journals_of(Judged& message) const;
  directory::Resolution alone_behind(const directory::Resolution& alias, const std::string& address) const;
  bool send_on(Judged& message, std::size_t recipient, Loops& loops, PlanAccounts& accounts) const;
  std::optional<directory::Resolution> list_of(const Judged& message, std::size_t recipient) const;
  io::Task<void> give_to_list(Judged& message, std::size_t recipient, directory::Resolution to, PlanAccounts& accounts, std::vector<store::Item>& notes);
  io::Task<store::AccountId> account_for(const smtp::Recipient& recipient, bool held);
  io::Task<store::Change> deliver_with(std::shared_ptr<Judged> message, std::string reply, std::vector<store::Row> also, std::vector<store::Item> notes);
  io::Task<void> seal(Judged& message, const PlanAccounts& accounts);
  io::Task<AbuseDesk::Noted> look_at(std::shared_ptr<const Judged> message);
  io::Task<Result<SendLedger::Counted>> count(Judged& message, const store::Account& sender);
  std::vector<std::string> strangers_of(const Judged& message) const;
  void tell_postmaster(const Judged& message, const SendLedger::Counted& counted, store::Delivery& delivery) const;
  io::Task<store::Change> find_accounts(Judged& message, PlanAccounts& accounts, std::vector<store::Item>& notes);
  io::Task<store::Change> store_and_tell(store::Delivery delivery);
  void tell(std::vector<Queued> queued, const store::Delivered& delivered);
  void add_trace(store::Delivery& delivery, const Judged& message, const std::string& reply) const;

  store::Store& store_;
  const directory::Directory& directory_;
  std::string hostname_;
  Reports reports_;
  store::AccountId quarantine_;
  Tell tell_;
  signing::Signer* signer_;
  SendLedger* ledger_ = nullptr;
  AbuseDesk* abuse_ = nullptr;
  std::atomic<bool> save_to_sent_{false};
  TraceLog* trace_ = nullptr;
};

// The account under `address`, made where there is none: for the quarantine of one whose mail goes on.
// 0: it could not be made.
io::Task<store::AccountId> quarantine_account(store::Store& store, std::string address);

}  // namespace postern::delivery
