#pragma once

#include <atomic>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/store/kv.h"
#include "gateway/store/rows.h"

namespace postern::store {

// An account with the names in it.
struct AccountState {
  Account account;
  std::map<std::string, MailboxId, std::less<>> names;
  std::set<std::string, std::less<>> subscriptions;
  std::shared_ptr<const mail::SenderList> senders;   // null: nobody
};

// What a finished group changes in the catalog; nullopt: gone.
struct CatalogChanges {
  std::unordered_map<AccountId, std::optional<AccountState>> accounts;
  std::unordered_map<MailboxId, std::optional<MailboxState>> mailboxes;
  std::unordered_map<std::uint64_t, std::optional<SegmentRow>> segments;
  Counters counters;
  QueueCounter queue;
};

// Accounts, mailboxes and segments as last committed, in memory.  Changed by the committer alone,
// which may therefore read through the `peek` functions without the lock; everybody else gets copies.
class Catalog {
 public:
  // Reads all rows; after an Error everything is as it was before.  `doomed`: mailboxes whose sweep was not
  // finished.
  Status load(const KvReader& rows, std::vector<MailboxId>& doomed);
  void adopt(CatalogChanges changes);

  // --- any thread
  std::optional<Account> account(std::string_view address) const;
  std::optional<Account> account(AccountId id) const;
  std::vector<Account> accounts() const;
  std::vector<MailboxInfo> mailboxes(AccountId account) const;
  std::optional<MailboxInfo> mailbox(MailboxId id) const;
  std::optional<MailboxInfo> mailbox(AccountId account, std::string_view name) const;
  std::optional<MailboxInfo> mailbox(AccountId account, SpecialUse use) const;
  std::vector<std::string> subscriptions(AccountId account) const;
  std::shared_ptr<const mail::SenderList> senders(AccountId account) const;   // never null
  std::map<std::uint64_t, SegmentRow> segments() const;   // copies all of them: seldom
  std::optional<SegmentRow> segment(std::uint64_t number) const;
  std::vector<std::uint64_t> sparse_segments() const;
  // Of messages older than that nothing is remembered in the trace any more.
  Time traced_from() const { return Clock::system().now() - std::chrono::hours(24) * trace_days_.load(); }
  void trace_for(unsigned days) { trace_days_ = days; }
  struct SegmentTotals {
    std::uint64_t count = 0, live = 0;
  };
  SegmentTotals segment_totals() const;

  // --- the committer
  const AccountState* peek_account(AccountId id) const;
  const AccountState* peek_account(std::string_view address) const;
  const MailboxState* peek_mailbox(MailboxId id) const;
  const SegmentRow* peek_segment(std::uint64_t segment) const;
  const Counters& counters() const { return counters_; }
  const QueueCounter& queue() const { return queue_; }

 private:
  Status read_rows(const KvReader& rows, std::vector<MailboxId>& doomed);
  Status read_senders(const KvReader& rows);
  std::optional<MailboxInfo> info(MailboxId id) const;
  void set_segment(std::uint64_t number, const std::optional<SegmentRow>& row);

  mutable std::shared_mutex mutex_;
  std::unordered_map<AccountId, AccountState> accounts_;
  std::map<std::string, AccountId, std::less<>> addresses_;
  std::unordered_map<MailboxId, MailboxState> mailboxes_;
  std::map<std::uint64_t, SegmentRow> segments_;
  std::set<std::uint64_t> sparse_;        // of them
  std::uint64_t live_octets_ = 0;         // in all of them
  Counters counters_;
  QueueCounter queue_;
  std::atomic<unsigned> trace_days_{30};
};

}  // namespace postern::store
