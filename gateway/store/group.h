#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "gateway/store/body_store.h"
#include "gateway/store/catalog.h"
#include "gateway/store/kv.h"
#include "gateway/store/trace.h"
#include "gateway/store/view.h"

namespace postern::store {

// The changes of one commit while they are gathered: rows and catalog as they will be, laid over
// those on disk, so that a later change of the group sees the earlier ones.  Nothing outside is
// touched before the group is written; a group that cannot be written is simply dropped.
// The committer's thread only.
class Group {
 public:
  Group(const Catalog& catalog, const Kv& rows, BodyStore& bodies);

  // --- rows.  After a failed read everything reads as "not there" and failure() says why.
  std::optional<std::string> get(const std::string& key);
  std::vector<std::optional<std::string>> get(const std::vector<std::string>& keys);
  std::vector<KvRow> scan(const std::string& from, const std::string& to, std::size_t limit);
  void put(std::string key, std::string value);
  // A row that no change ever reads, nor writes twice in a group: the trace.  Costs less than half of put().
  void append(std::string key, std::string value) { appended_.put(std::move(key), std::move(value)); }
  void erase(std::string key);
  void erase_range(std::string from, std::string to);   // none of these rows is read in this group again
  const std::string& failure() const { return failure_; }
  void fail(std::string why);   // as after a failed read

  // --- catalog: peek to read, edit to change (null: no such thing)
  const AccountState* peek_account(AccountId id) const;
  const MailboxState* peek_mailbox(MailboxId id) const;
  bool address_taken(std::string_view address, AccountId but) const;
  MailboxState* edit_mailbox(MailboxId id);
  AccountState* edit_account(AccountId id);
  // A new mailbox of that name, with a uidvalidity that no other ever had.
  MailboxState* add_mailbox(AccountId account, const std::string& name, SpecialUse use);
  void remove_mailbox(MailboxId id);   // from the catalog; its messages are doomed
  AccountId add_account(Account account);
  void remove_account(AccountId id);
  const MailboxState* find(AccountId account, std::string_view name) const;
  const MailboxState* find(AccountId account, SpecialUse use) const;

  // --- messages
  ModSeq next_modseq(MailboxState& mailbox) { return ++mailbox.info.highestmodseq; }
  // Writes both rows and counts; uid and modseq are set already.
  void add_message(MailboxState& mailbox, const IndexRow& index, const StoredMessage& message);
  void replace_index(MailboxState& mailbox, const IndexRow& before, const IndexRow& after);
  // Removes both rows and counts; gives up the reference to the body, or leaves it to the row that
  // the message moves to.
  enum class Body { release, keep };
  void remove_message(MailboxState& mailbox, const IndexRow& index, Body body);
  // Remembers what was removed with `modseq`; ascending.
  void vanish(MailboxState& mailbox, ModSeq modseq, std::vector<Uid> uids);
  // The bit of a keyword, made if there is room; nullopt if there is none.
  static std::optional<unsigned> keyword_bit(MailboxState& mailbox, std::string_view keyword);

  // --- the trace: nothing for ids that are not new_id()'s, and for messages of which nothing is remembered any more
  void trace(std::string_view id, const TraceEvent& event);

  // --- the queue
  QueueId next_queue_id() { return changes_.queue.next++; }

  // --- bodies
  // Plans a new body with its row; `body.place.length` is set if it was written alone before.
  BodyId add_body(NewBody body, std::uint64_t references, bool written);
  void refer(BodyId id, std::int64_t by);
  // Moves a body's record, if its row still names `from`.
  void move_body(BodyId id, const Place& from, const Place& to);
  // Looks at a segment again: if nothing in it lives, it goes with this group.
  void touch_segment(std::uint64_t segment) {
    if (catalog_.peek_segment(segment) != nullptr) edit_segment(segment);   // or it went meanwhile
  }
  // Whether a changed segment is now worth rewriting.
  bool leaves_sparse() const;
  const std::vector<NewBody>& bodies() const { return bodies_; }
  // What could not be begun: no segment to write into.
  std::error_code body_error() const { return body_error_; }
  std::vector<std::uint64_t>& emptied() { return emptied_; }   // segments to unlink once this is durable

  std::size_t row_count() const { return pending_.size() + appended_.steps.size() / 4; }
  bool empty() const {
    return pending_.empty() && appended_.empty() && ranges_.empty() && changes_.mailboxes.empty() && changes_.accounts.empty() &&
           changes_.segments.empty();
  }

  // --- the end
  KvBatch batch();   // everything, once
  CatalogChanges take_changes() { return std::move(changes_); }
  // What views of the mailboxes have to follow.
  std::unordered_map<MailboxId, MailboxEvents>& events() { return events_; }
  const CatalogChanges& changes() const { return changes_; }

 private:
  SegmentRow* edit_segment(std::uint64_t segment);
  void write_body_row(BodyId id, const BodyRow& body);

  const Catalog& catalog_;
  const Kv& rows_;
  BodyStore& body_store_;
  std::map<std::string, std::optional<std::string>, std::less<>> pending_;
  std::vector<std::pair<std::string, std::string>> ranges_;
  CatalogChanges changes_;
  std::vector<NewBody> bodies_;
  std::error_code body_error_;
  bool bodies_begun_ = false;
  std::vector<std::uint64_t> emptied_;
  std::unordered_map<MailboxId, MailboxEvents> events_;
  std::string failure_;
  KvBatch appended_;
};

}  // namespace postern::store
