#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"
#include "gateway/mail/sender_list.h"
#include "gateway/store/types.h"

namespace postern::io {
class WorkerPool;
}

namespace postern::store {

// The state of a mailbox at one moment.  Immutable; published by the committer.
class MailboxView {
 public:
  virtual ~MailboxView() = default;
  virtual const MailboxInfo& info() const = 0;
  virtual std::size_t size() const = 0;
  virtual const Entry& at(std::size_t index) const = 0;              // 0-based, ascending uid
  virtual std::optional<std::size_t> find(Uid uid) const = 0;
  virtual const std::vector<std::string>& keywords() const = 0;      // names of Entry::keywords' bits
  // Uids expunged after `since` (RFC 7162 3.2.10); nothing if that is no longer known.
  virtual std::optional<std::vector<Uid>> vanished(ModSeq since) const = 0;
};

// Keeps a mailbox's index in memory and tells of its changes on the loop that made the watch.
class MailboxWatch {
 public:
  virtual ~MailboxWatch() = default;
  // The newest version; nullptr once the mailbox was removed.
  virtual std::shared_ptr<const MailboxView> latest() const = 0;
  // Notified after each new version.
  virtual io::Signal& changed() = 0;
};

// Where a copy goes that is released from the quarantine of somebody whose mail is delivered elsewhere.  Its row stays
// with him, so that he sees what he released.
class ReleaseOnward {
 public:
  virtual ~ReleaseOnward() = default;
  // Nothing: his mail is delivered here.  On the committer's thread, before the commit.
  virtual std::optional<Onward> onward(const Account& account, const std::string& header_prefix, const Held& held) = 0;
  // After it, on the same thread.
  virtual void queued(QueueId id, const Onward& onward) = 0;
};

struct StoreOptions {
  std::string directory;
  std::uint64_t segment_octets = 128ULL << 20;
  std::uint64_t low_space_octets = 64ULL << 20;   // below this much free disk, changes that grow answer no_space
  ReleaseOnward* release = nullptr;               // must outlive the store
  unsigned trace_days = 30;                       // what happens later to older messages is not noted
};

struct StoreState {
  bool writable = true;
  std::string problem;              // why not writable, or a bad record that was found
  std::uint64_t body_octets = 0, segments = 0;
  std::uint64_t commits = 0, changes = 0;
  std::uint64_t free_octets = 0;
};

// What the gateway knows of its mail.  One committer thread orders and syncs all changes; a Task
// given by a change ends after it is durable.  All functions may be called on any loop; reads
// that are no Task answer from memory.  Design 5.
class Store {
 public:
  virtual ~Store() = default;

  // Opens or creates; blocks for recovery.  An Error names what is wrong and what to do: in use by
  // pid N, not ours, a newer format.  A damaged segment is none: state().problem and the log name it, and
  // everything else is served.  `workers` must outlive the store.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, io::WorkerPool& workers);

  // --- accounts.  As of the last durable change, also while the store is not writable and while it recovers.
  virtual std::optional<Account> account(std::string_view address) const = 0;
  virtual std::optional<Account> account(AccountId id) const = 0;
  virtual std::vector<Account> accounts() const = 0;
  // Makes INBOX, Junk, Quarantine with its two folders of senders, Sent, Drafts, Trash, Archive with it.
  virtual io::Task<Change> create_account(Account account) = 0;
  virtual io::Task<Change> update_account(Account account) = 0;
  virtual io::Task<Change> remove_account(AccountId id) = 0;

  // Whom the user always wants to hear and whom never; never null, empty for an unknown account.
  virtual std::shared_ptr<const mail::SenderList> senders(AccountId account) const = 0;
  // `sender` in the form of mail::sender_entry().  nullopt: nothing is said of it any more.
  virtual io::Task<Change> set_sender(AccountId account, std::string sender, std::optional<mail::SenderWord> word) = 0;

  // --- mailboxes
  virtual std::vector<MailboxInfo> mailboxes(AccountId account) const = 0;   // sorted by name
  virtual std::optional<MailboxInfo> mailbox(AccountId account, std::string_view name) const = 0;
  virtual std::optional<MailboxInfo> mailbox(AccountId account, SpecialUse use) const = 0;
  virtual std::optional<MailboxInfo> mailbox(MailboxId id) const = 0;
  virtual io::Task<Created> create_mailbox(AccountId account, std::string name, SpecialUse use) = 0;
  // Children move with it; INBOX: RFC 3501 6.3.5 (its messages move, it stays).
  virtual io::Task<Change> rename_mailbox(AccountId account, std::string from, std::string to) = 0;
  virtual io::Task<Change> remove_mailbox(AccountId account, std::string name) = 0;
  virtual io::Task<Change> subscribe(AccountId account, std::string name, bool subscribed) = 0;
  // Names subscribed though the mailbox may not exist (any more), RFC 3501 6.3.9.
  virtual std::vector<std::string> subscriptions(AccountId account) const = 0;

  // --- messages
  virtual io::Task<Delivered> deliver(Delivery delivery) = 0;
  virtual io::Task<FlagsChanged> change_flags(MailboxId mailbox, std::vector<Uid> uids, FlagOperation operation,
                                              Flags flags, std::optional<ModSeq> unchanged_since) = 0;
  // Applies the quarantine's rules (design 6, quarantine 1-5): all or nothing.  What goes to kAlwaysAllow lands in INBOX.
  virtual io::Task<Copied> copy(MailboxId from, std::vector<Uid> uids, MailboxId to) = 0;
  virtual io::Task<Copied> move(MailboxId from, std::vector<Uid> uids, MailboxId to) = 0;
  // The messages with \Deleted, or of those only the given ones (UID EXPUNGE, RFC 4315).
  virtual io::Task<Expunged> expunge(MailboxId mailbox, std::optional<std::vector<Uid>> uids) = 0;
  // The given ones whatever their flags: POP3's QUIT and `postern quarantine delete`.
  virtual io::Task<Expunged> erase(MailboxId mailbox, std::vector<Uid> uids) = 0;

  // An Error of a read, here and below: the rows cannot be read now, or are damaged.  It must never pass for
  // "not there", or a client drops its copy because of a bad sector: NO [SERVERBUG], -ERR [SYS/TEMP].
  //
  // Loads the index on the worker pool if it is not in memory yet; nullptr: no such mailbox.
  virtual io::Task<Result<std::unique_ptr<MailboxWatch>>> watch(MailboxId mailbox) = 0;
  virtual io::Task<Result<std::optional<MessageRow>>> message(MailboxId mailbox, Uid uid) = 0;
  // Rows with first <= uid <= last in order, at most `limit`.
  virtual io::Task<Result<std::vector<MessageRow>>> messages(MailboxId mailbox, Uid first, Uid last, std::size_t limit) = 0;
  // Octets [offset, offset+length) of the message (prefix and record joined), cut at its end.
  // An Error is a damaged record: NO [SERVERBUG].
  virtual io::Task<Result<std::string>> read(const MessageRow& row, std::uint64_t offset, std::uint64_t length) = 0;

  // --- the outgoing queue; its changes are deliveries
  // Entries with id >= from in order, at most `limit`; fewer: there are no more.  An Error is a failed read, not an
  // empty queue.  A damaged row is logged and left out.  Made for pages of some thousand: never read on the loop.
  virtual io::Task<Result<std::vector<QueueEntry>>> queue(QueueId from, std::size_t limit) = 0;
  // nullopt: gone.  An Error is a failed read or a damaged row.
  virtual io::Task<Result<std::optional<QueueEntry>>> queue_entry(QueueId id) = 0;
  // As of a message row.
  virtual io::Task<Result<std::string>> read(const QueueEntry& entry, std::uint64_t offset, std::uint64_t length) = 0;
  // The whole record behind the entry's prefix, checked, and not copied once it was read.
  virtual io::Task<Result<Octets>> record(const QueueEntry& entry) = 0;

  // --- general rows
  virtual io::Task<Change> write(std::vector<Row> rows) = 0;
  virtual io::Task<Result<std::optional<std::string>>> get(std::string key) = 0;
  // Rows whose key begins with `prefix`, from `from` on, in order, at most `limit`.
  virtual io::Task<Result<std::vector<Row>>> scan(std::string prefix, std::string from, std::size_t limit) = 0;

  virtual StoreState state() const = 0;
  // After a failed write or sync: opens the files anew.  True: changes are taken again.  False: they are
  // not, since the disk is nearly full or the opening failed; reads go on.
  virtual io::Task<bool> recover() = 0;
  // Reads every row and record, crc32c included; each mistake as a sentence.  Changes wait for its end.
  // Blocks: not on a loop.
  virtual std::vector<std::string> verify() = 0;

  // --- general rows, many of them
  // One entry a key, in the order asked; at most some thousand.
  virtual io::Task<Result<std::vector<std::optional<std::string>>>> get_all(std::vector<std::string> keys) = 0;
  // Erases all rows with from <= key < to, however many: one step.  Both begin with the same owner's prefix.  What is
  // written to them in the same commit stays.
  virtual io::Task<Change> erase_rows(std::string from, std::string to) = 0;
};

}  // namespace postern::store
