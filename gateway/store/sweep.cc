// EXPUNGE in slices, and the sweep of removed mailboxes.
#include "gateway/store/sweep.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/store/coding.h"

namespace postern::store {
namespace {

constexpr std::size_t kLook = 4096;   // index rows looked at in a slice

// The first field of a message row, without the rest of it.
std::string id_of(const std::optional<std::string>& value) { return value ? Parser(*value).text() : std::string(); }

class Expunge : public JobWith<Expunged> {
 public:
  Expunge(MailboxId mailbox, std::optional<std::vector<Uid>> uids, bool whatever)
      : mailbox_(mailbox), uids_(std::move(uids)), whatever_(whatever) {
    if (!uids_) return;
    std::sort(uids_->begin(), uids_->end());
    uids_->erase(std::unique(uids_->begin(), uids_->end()), uids_->end());
  }

  bool apply(Group& group) override {
    slice_.clear();
    next_uid_ = from_uid_;
    next_index_ = from_index_;
    // Removed between two slices: then all of it is expunged, which is what was asked.
    bool begun = from_uid_ != 0 || from_index_ != 0;
    if (group.peek_mailbox(mailbox_) == nullptr) return begun || refuse(Outcome::no_mailbox, "no such mailbox");
    bool complete = uids_ ? look_at_given(group) : look_at_all(group);
    if (!slice_.empty()) {
      auto* state = group.edit_mailbox(mailbox_);
      modseq_ = group.next_modseq(*state);
      std::vector<Uid> gone;
      trace(group, *state);
      for (const auto& index : slice_) {
        group.remove_message(*state, index, Group::Body::release);
        gone.push_back(index.entry.uid);
      }
      group.vanish(*state, modseq_, std::move(gone));
    }
    return complete;
  }

  void committed() override {
    from_uid_ = next_uid_;
    from_index_ = next_index_;
    for (const auto& index : slice_) result.uids.push_back(index.entry.uid);
    if (!slice_.empty()) result.modseq = modseq_;
    slice_.clear();
  }

 private:
  void trace(Group& group, const MailboxState& mailbox) {
    std::vector<std::string> keys;
    for (const auto& index : slice_) keys.push_back(message_key(mailbox_, index.entry.uid));
    auto rows = group.get(keys);
    const auto* owner = group.peek_account(mailbox.info.account);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto id = id_of(rows[i]);
      if (id.empty()) continue;
      TraceEvent event;
      event.kind = "expunged";
      event.fields = {{"account", owner != nullptr ? owner->account.address : ""}, {"mailbox", mailbox.info.name}, {"uid", std::to_string(slice_[i].entry.uid)}};
      group.trace(id, event);
    }
  }

  void consider(Uid uid, const std::string& value) {
    auto index = decode_index(uid, value);
    if (index && (whatever_ || (index->entry.flags & flag::deleted) != 0)) slice_.push_back(std::move(*index));
  }

  bool look_at_given(Group& group) {
    std::vector<std::string> keys;
    auto end = std::min(uids_->size(), from_index_ + kSlice);
    for (auto i = from_index_; i < end; ++i) keys.push_back(index_key(mailbox_, (*uids_)[i]));
    auto rows = group.get(keys);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i]) consider((*uids_)[from_index_ + i], *rows[i]);
    }
    next_index_ = end;
    return end == uids_->size();
  }

  bool look_at_all(Group& group) {
    auto rows = group.scan(index_key(mailbox_, from_uid_), prefix_of('i', mailbox_ + 1), kLook);
    for (const auto& row : rows) {
      auto uid = static_cast<Uid>(second_number(row.key, 4));
      consider(uid, row.value);
      next_uid_ = uid + 1;
      if (slice_.size() == kSlice) return false;
    }
    return rows.size() < kLook;
  }

  MailboxId mailbox_;
  std::optional<std::vector<Uid>> uids_;
  bool whatever_;
  Uid from_uid_ = 0, next_uid_ = 0;                    // where the next slice begins: durable, planned
  std::size_t from_index_ = 0, next_index_ = 0;        // the same into uids_
  std::vector<IndexRow> slice_;
  ModSeq modseq_ = 0;
};

class Sweep : public Job {
 public:
  explicit Sweep(MailboxId mailbox) : mailbox_(mailbox) {}

  bool apply(Group& group) override {
    auto rows = group.scan(prefix_of('i', mailbox_), prefix_of('i', mailbox_ + 1), kSlice);
    for (const auto& row : rows) {
      auto uid = static_cast<Uid>(second_number(row.key, 4));
      group.erase(row.key);
      group.erase(message_key(mailbox_, uid));
      auto index = decode_index(uid, row.value);
      if (index) group.refer(index->body, -1);
    }
    if (rows.size() == kSlice) return false;
    group.erase_range(prefix_of('c', mailbox_), prefix_of('c', mailbox_ + 1));
    group.erase(doomed_key(mailbox_));
    return true;
  }
  void fail(Outcome, std::string text) override {   // begun again at the next start
    log::warning("store.sweep", {{"mailbox", std::to_string(mailbox_)}, {"what", text}});
  }

 private:
  MailboxId mailbox_;
};

}  // namespace

std::shared_ptr<JobWith<Expunged>> expunge_job(MailboxId mailbox, std::optional<std::vector<Uid>> uids, bool whatever) {
  return std::make_shared<Expunge>(mailbox, std::move(uids), whatever);
}

std::shared_ptr<Job> sweep_job(MailboxId doomed) { return std::make_shared<Sweep>(doomed); }

}  // namespace postern::store
