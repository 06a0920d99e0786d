// STORE in slices: only index rows change.
#include "gateway/store/change_flags.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/store/sweep.h"

namespace postern::store {
namespace {

class ChangeFlags : public JobWith<FlagsChanged> {
 public:
  ChangeFlags(MailboxId mailbox, std::vector<Uid> uids, FlagOperation operation, Flags flags, std::optional<ModSeq> unchanged_since)
      : mailbox_(mailbox), uids_(std::move(uids)), operation_(operation), flags_(std::move(flags)), unchanged_since_(unchanged_since) {
    std::sort(uids_.begin(), uids_.end());
    uids_.erase(std::unique(uids_.begin(), uids_.end()), uids_.end());
  }

  bool apply(Group& group) override {
    changed_.clear();
    modified_.clear();
    next_ = done_;
    const auto* state = group.peek_mailbox(mailbox_);
    if (state == nullptr) return refuse(Outcome::no_mailbox, "no such mailbox");
    auto bits = keyword_bits(group, *state);
    if (!bits) return refuse(Outcome::cannot, "a mailbox knows at most 64 keywords");
    auto end = std::min(uids_.size(), done_ + 2 * kSlice);
    std::vector<std::string> keys;
    for (auto i = done_; i < end; ++i) keys.push_back(index_key(mailbox_, uids_[i]));
    auto rows = group.get(keys);
    modseq_ = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto index = rows[i] ? decode_index(uids_[done_ + i], *rows[i]) : std::nullopt;
      if (index) change(group, *index, *bits);
    }
    next_ = end;
    return end == uids_.size();
  }

  void committed() override {
    done_ = next_;
    result.changed.insert(result.changed.end(), changed_.begin(), changed_.end());
    result.modified.insert(result.modified.end(), modified_.begin(), modified_.end());
    if (modseq_ != 0) result.modseq = modseq_;
    changed_.clear();
    modified_.clear();
  }

 private:
  // The bits of the given keywords; those to be removed need not be known.
  std::optional<std::uint64_t> keyword_bits(Group& group, const MailboxState& state) {
    std::uint64_t bits = 0;
    std::vector<std::string_view> unknown;
    for (const auto& keyword : flags_.keywords) {
      auto found = std::find_if(state.keywords.begin(), state.keywords.end(), [&](const auto& one) { return iequals(one, keyword); });
      if (found != state.keywords.end()) bits |= 1ULL << (found - state.keywords.begin());
      else if (operation_ != FlagOperation::remove) unknown.push_back(keyword);
    }
    if (unknown.empty()) return bits;
    if (state.keywords.size() + unknown.size() > kMaxKeywords) return {};
    auto& mailbox = *group.edit_mailbox(mailbox_);
    for (auto keyword : unknown) bits |= 1ULL << *Group::keyword_bit(mailbox, keyword);
    return bits;
  }

  void change(Group& group, const IndexRow& before, std::uint64_t bits) {
    // The modseq of this very command, from an earlier slice, is no foreign change: uids are unique.
    if (unchanged_since_ && before.entry.modseq > *unchanged_since_) {
      modified_.push_back(before.entry.uid);
      return;
    }
    auto after = before;
    auto& entry = after.entry;
    switch (operation_) {
      case FlagOperation::replace:
        entry.flags = flags_.system;
        entry.keywords = bits;
        break;
      case FlagOperation::add:
        entry.flags |= flags_.system;
        entry.keywords |= bits;
        break;
      case FlagOperation::remove:
        entry.flags &= static_cast<std::uint8_t>(~flags_.system);
        entry.keywords &= ~bits;
        break;
    }
    if (entry.flags == before.entry.flags && entry.keywords == before.entry.keywords) return;
    auto& mailbox = *group.edit_mailbox(mailbox_);
    if (modseq_ == 0) modseq_ = group.next_modseq(mailbox);
    entry.modseq = modseq_;
    group.replace_index(mailbox, before, after);
    changed_.push_back(entry.uid);
  }

  MailboxId mailbox_;
  std::vector<Uid> uids_;
  FlagOperation operation_;
  Flags flags_;
  std::optional<ModSeq> unchanged_since_;
  std::size_t done_ = 0, next_ = 0;   // into uids_: durable, planned
  std::vector<Uid> changed_, modified_;
  ModSeq modseq_ = 0;
};

}  // namespace

std::shared_ptr<JobWith<FlagsChanged>> change_flags_job(MailboxId mailbox, std::vector<Uid> uids, FlagOperation operation,
                                                        Flags flags, std::optional<ModSeq> unchanged_since) {
  return std::make_shared<ChangeFlags>(mailbox, std::move(uids), operation, std::move(flags), unchanged_since);
}

}  // namespace postern::store
