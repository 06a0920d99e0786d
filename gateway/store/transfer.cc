// COPY and MOVE: rows only, the body stays where it is.  Also the way out of the quarantine.
#include "gateway/store/transfer.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/store/quarantine.h"
#include "gateway/store/names.h"
#include "gateway/store/queue.h"
#include "gateway/store/senders.h"
#include "gateway/store/sweep.h"

namespace postern::store {
namespace {

// The keyword bits in another mailbox's numbering.
std::uint64_t translate(std::uint64_t bits, const MailboxState& from, MailboxState& to) {
  std::uint64_t translated = 0;
  for (std::size_t i = 0; i < from.keywords.size(); ++i) {
    if ((bits & (1ULL << i)) == 0) continue;
    auto bit = Group::keyword_bit(to, from.keywords[i]);
    if (bit) translated |= 1ULL << *bit;
  }
  return translated;
}

// Writes the message into `to` and gives its new uid.
Uid add_copy(Group& group, const MailboxState& from, MailboxState& to, IndexRow index, const StoredMessage& message, ModSeq modseq) {
  index.entry.keywords = translate(index.entry.keywords, from, to);
  index.entry.uid = to.info.uidnext++;
  index.entry.modseq = modseq;
  index.held = mark_of(message.held);
  group.add_message(to, index, message);
  return index.entry.uid;
}

// What is written down of a message that went from one mailbox to another.
void trace_passed(Group& group, std::string_view what, const MailboxInfo& from, const MailboxInfo& to, Uid uid, const StoredMessage& message) {
  if (message.id.empty()) return;
  const auto* owner = group.peek_account(to.account);
  TraceEvent event;
  event.kind = what;
  event.fields = {{"account", owner != nullptr ? owner->account.address : ""}, {"from", from.name}, {"mailbox", to.name}, {"uid", std::to_string(uid)}};
  group.trace(message.id, event);
}

class Transfer : public JobWith<Copied> {
 public:
  Transfer(MailboxId from, std::vector<Uid> uids, MailboxId to, bool moving, ReleaseOnward* release)
      : from_(from), to_(to), landing_(to), moving_(moving), release_(release), uids_(std::move(uids)) {
    std::sort(uids_.begin(), uids_.end());
    uids_.erase(std::unique(uids_.begin(), uids_.end()), uids_.end());
  }
  // RFC 3501 6.4.7: all or nothing, so space may fail it at the beginning alone.
  bool grows() const override { return !moving_ && done_ == 0; }
  std::size_t body_octets() const override { return grows() ? uids_.size() * kRowOctets : 0; }

  bool apply(Group& group) override {
    forget_slice();
    next_ = done_;
    bool begun = done_ != 0;
    if (group.peek_mailbox(from_) == nullptr || group.peek_mailbox(to_) == nullptr) {
      return refuse(Outcome::no_mailbox, begun ? "the mailbox was removed meanwhile" : "no such mailbox");
    }
    if (!begun && !may_pass(group)) return true;
    from_info_ = group.peek_mailbox(from_)->info;
    to_info_ = group.peek_mailbox(to_)->info;
    landing_ = landing(group);
    result.uidvalidity = group.peek_mailbox(landing_)->info.uidvalidity;
    result.elsewhere = landing_ != to_;
    transfer_slice(group);
    return next_ == uids_.size();
  }

  void committed() override {
    done_ = next_;
    result.uids.insert(result.uids.end(), slice_.begin(), slice_.end());
    for (const auto& [uid, message] : released_) log_release(from_info_, to_info_, message, uid);
    for (const auto& [id, onward] : queued_) release_->queued(id, onward);
    for (const auto& said : said_) log_sender(said);
    forget_slice();
  }

 private:
  void forget_slice() {
    slice_.clear();
    released_.clear();
    queued_.clear();
    said_.clear();
  }

  // A message whose sender is allowed is wanted: it goes to where its user reads.
  MailboxId landing(Group& group) const {
    if (to_info_.name != kAlwaysAllow) return to_;
    const auto* inbox = group.find(to_info_.account, SpecialUse::inbox);
    return inbox != nullptr ? inbox->info.id : to_;
  }

  std::vector<std::optional<std::string>> rows(Group& group, std::size_t begin, std::size_t end, std::string (*key)(MailboxId, Uid)) {
    std::vector<std::string> keys;
    for (auto i = begin; i < end; ++i) keys.push_back(key(from_, uids_[i]));
    return group.get(keys);
  }

  // All or nothing: every message is asked for before the first goes.
  bool may_pass(Group& group) {
    const auto& from = group.peek_mailbox(from_)->info;
    const auto& to = group.peek_mailbox(to_)->info;
    const auto* owner = group.peek_account(to.account);
    bool full = owner != nullptr && owner->senders && owner->senders->size() >= mail::kMaxSenders;
    if (full && word_of(to)) {
      return !refuse(Outcome::over_quota, "your list has " + std::to_string(mail::kMaxSenders) + " senders already");
    }
    for (std::size_t begin = 0; begin < uids_.size(); begin += kAsk) {
      auto found = rows(group, begin, std::min(uids_.size(), begin + kAsk), index_key);
      for (std::size_t i = 0; i < found.size(); ++i) {
        auto index = found[i] ? decode_index(uids_[begin + i], *found[i]) : std::nullopt;
        if (!index) continue;
        auto way = passage(from, to, index->held, moving_);
        if (way == Passage::cannot && is_pending(from)) {
          return !refuse(Outcome::cannot, "what waits for a moderator goes to " + from.name.substr(0, from.name.rfind('/')) + "/Approve or to Trash");
        }
        if (way == Passage::cannot) return !refuse(Outcome::cannot, "out of the quarantine a message goes to INBOX, an ordinary folder, Junk or Trash");
        if (way == Passage::noperm) return !refuse(Outcome::noperm, notice_text(group, uids_[begin + i]));
      }
    }
    return true;
  }

  std::string notice_text(Group& group, Uid uid) {
    auto value = group.get(message_key(from_, uid));
    auto message = value ? decode_message(*value) : std::nullopt;
    if (message && message->held && !message->held->outgoing.empty()) {
      return "held on its way out, message " + message->id + "; an administrator lets it go, and you may move it to Trash";
    }
    return "held for a virus; an administrator can release it, case " + (message ? message->id : std::string("unknown"));
  }

  void transfer_slice(Group& group) {
    auto end = std::min(uids_.size(), done_ + kSlice);
    auto indexes = rows(group, done_, end, index_key);
    auto messages = rows(group, done_, end, message_key);
    ModSeq to_modseq = 0;
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      Uid uid = uids_[done_ + i];
      auto index = indexes[i] ? decode_index(uid, *indexes[i]) : std::nullopt;
      auto message = messages[i] ? decode_message(*messages[i]) : std::nullopt;
      if (!index || !message) continue;   // expunged meanwhile
      auto& to = *group.edit_mailbox(landing_);
      if (to_modseq == 0) to_modseq = group.next_modseq(to);
      slice_.emplace_back(uid, pass(group, *index, *message, to_modseq));
    }
    next_ = end;
    if (!moving_ || slice_.empty()) return;
    auto& from = *group.edit_mailbox(from_);
    std::vector<Uid> gone;
    for (const auto& pair : slice_) gone.push_back(pair.first);
    group.vanish(from, group.next_modseq(from), std::move(gone));
  }

  Uid pass(Group& group, const IndexRow& index, StoredMessage message, ModSeq modseq) {
    auto& from = *group.edit_mailbox(from_);
    auto& to = *group.edit_mailbox(landing_);
    auto way = passage(from.info, to_info_, index.held, moving_);
    auto original = message;
    note_sender(group, message);
    if (way == Passage::release) {
      released_.emplace_back(index.entry.uid, message);
      send_on(group, to.info.account, index, message);
    }
    if (way != Passage::keep) message.held.reset();
    if (moving_) group.remove_message(from, index, Group::Body::keep);
    else group.refer(index.body, 1);
    auto uid = add_copy(group, from, to, index, message, modseq);
    trace_passed(group, way == Passage::release ? "released" : moving_ ? "moved" : "copied", from.info, to.info, uid, message);
    if (way == Passage::release && !moving_) mark_released(group, from, index, std::move(original));
    return uid;
  }

  void send_on(Group& group, AccountId account, const IndexRow& index, const StoredMessage& message) {
    const auto* owner = release_ == nullptr || !message.held ? nullptr : group.peek_account(account);
    auto onward = owner == nullptr ? std::nullopt : release_->onward(owner->account, message.header_prefix, *message.held);
    if (!onward) return;
    QueueEntry entry;
    entry.message_id = message.id;
    entry.destination = onward->destination;
    entry.arrived = Clock::system().now();
    entry.due = entry.arrived;
    entry.header_prefix = onward->header_prefix;
    entry.body = index.body;
    entry.record_octets = message.record_octets;
    entry.state = onward->state;
    group.refer(index.body, 1);
    queued_.emplace_back(enqueue(group, std::move(entry)), std::move(*onward));
  }

  // What the user says of the sender by where he moves the message.
  void note_sender(Group& group, const StoredMessage& message) {
    auto word = word_of(to_info_);
    if (!word && !takes_back(from_info_, to_info_)) return;
    const auto* owner = group.peek_account(to_info_.account);
    if (owner == nullptr) return;
    Said said{message.id, owner->account.address, sender_of(message, owner->account.address), word, true};
    if (said.sender.empty()) return;
    if (!word) {
      auto known = owner->senders ? owner->senders->find(said.sender) : mail::SenderList::const_iterator();
      if (!owner->senders || known == owner->senders->end() || known->second != mail::SenderWord::block) return;
    }
    said.fits = set_sender(group, to_info_.account, said.sender, word);
    said_.push_back(std::move(said));
  }

  struct Said {
    std::string message, user, sender;
    std::optional<mail::SenderWord> word;   // nothing: what was said is taken back
    bool fits = true;                       // on the list
  };
  static void log_sender(const Said& said) {
    auto word = said.word ? std::string(mail::name(*said.word)) : std::string("forget");
    if (!said.fits) word = "the list is full";
    log::info("quarantine.sender", {{"user", said.user}, {"sender", said.sender}, {"word", word}, {"message", said.message}, {"by", "move"}});
  }

  // The row in the quarantine stays and says that its message is out.
  void mark_released(Group& group, const MailboxState& from, IndexRow index, StoredMessage original) {
    original.held->released = true;
    index.held = HeldMark::released;
    group.put(index_key(from.info.id, index.entry.uid), encode(index));
    group.put(message_key(from.info.id, index.entry.uid), encode(original));
  }

  static constexpr std::size_t kAsk = 1000;
  static constexpr std::size_t kRowOctets = 2048;   // of a copy: envelope and part table, now and then much of them
  MailboxId from_, to_;
  MailboxId landing_;   // to_, or where what goes there really lands
  bool moving_;
  ReleaseOnward* release_;
  std::vector<Uid> uids_;
  std::size_t done_ = 0, next_ = 0;   // into uids_: durable, planned
  std::vector<std::pair<Uid, Uid>> slice_;
  std::vector<std::pair<Uid, StoredMessage>> released_;
  std::vector<std::pair<QueueId, Onward>> queued_;
  std::vector<Said> said_;
  MailboxInfo from_info_, to_info_;
};

}  // namespace

bool move_slice(Group& group, MailboxId from_id, MailboxId to_id) {
  auto rows = group.scan(prefix_of('i', from_id), prefix_of('i', from_id + 1), kSlice);
  if (rows.empty()) return true;
  std::vector<std::string> keys;
  for (const auto& row : rows) keys.push_back(message_key(from_id, static_cast<Uid>(second_number(row.key, 4))));
  auto messages = group.get(keys);
  auto& from = *group.edit_mailbox(from_id);
  auto& to = *group.edit_mailbox(to_id);
  auto modseq = group.next_modseq(to);
  std::vector<Uid> gone;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto uid = static_cast<Uid>(second_number(rows[i].key, 4));
    auto index = decode_index(uid, rows[i].value);
    auto message = messages[i] ? decode_message(*messages[i]) : std::nullopt;
    if (!index || !message) continue;
    group.remove_message(from, *index, Group::Body::keep);
    auto placed = add_copy(group, from, to, *index, *message, modseq);
    trace_passed(group, "moved", from.info, to.info, placed, *message);
    gone.push_back(uid);
  }
  // Damaged rows alone would come again for ever.
  if (gone.empty()) return true;
  group.vanish(from, group.next_modseq(from), std::move(gone));
  return rows.size() < kSlice;
}

std::shared_ptr<JobWith<Copied>> copy_job(MailboxId from, std::vector<Uid> uids, MailboxId to, ReleaseOnward* release) {
  return std::make_shared<Transfer>(from, std::move(uids), to, false, release);
}
std::shared_ptr<JobWith<Copied>> move_job(MailboxId from, std::vector<Uid> uids, MailboxId to, ReleaseOnward* release) {
  return std::make_shared<Transfer>(from, std::move(uids), to, true, release);
}

}  // namespace postern::store
