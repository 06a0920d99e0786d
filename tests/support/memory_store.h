#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/io/loop.h"
#include "gateway/store/names.h"
#include "gateway/store/store.h"
#include "tests/support/memory_queue.h"

namespace postern::test {

// A store without a disk for tests of its readers and for fuzzing: one loop, every change published at once.
// It keeps the contracts of store.h that IMAP, POP3, the outgoing queue and the keepers of general rows rely on; the
// quarantine's rules are not in it.  `fail_with` makes the next changes answer so, `low_space` refuses deliveries that
// need space; `damage` makes reads of that uid fail, `damaged_entry` those of that queue entry's octets, `unreadable`
// those of rows.
class MemoryStore : public store::Store {
 public:
  store::Outcome fail_with = store::Outcome::done;
  bool low_space = false;
  store::Uid damage = 0;
  store::QueueId damaged_entry = 0;
  bool unreadable = false;
  std::size_t reads = 0;   // of messages' octets
  std::map<std::string, std::string> general;   // the general rows
  std::vector<std::size_t> writes;              // rows of each write()

  std::size_t bodies() const { return bodies_.size(); }   // that are still named
  std::size_t queue_size() const { return queue_.size(); }

  std::optional<store::Account> account(std::string_view address) const override {
    for (const auto& account : accounts_) {
      if (account.address == address) return account;
    }
    return std::nullopt;
  }
  std::optional<store::Account> account(store::AccountId id) const override {
    if (id == 0 || id > accounts_.size()) return std::nullopt;
    return accounts_[id - 1];
  }
  std::vector<store::Account> accounts() const override { return accounts_; }
  store::AccountId add_account(std::string address) {
    store::Account account;
    account.id = accounts_.size() + 1;
    account.address = std::move(address);
    accounts_.push_back(account);
    add_mailbox(account.id, "INBOX", store::SpecialUse::inbox);
    add_mailbox(account.id, "Junk", store::SpecialUse::junk);
    add_mailbox(account.id, "Trash", store::SpecialUse::trash);
    add_mailbox(account.id, "Quarantine", store::SpecialUse::quarantine);
    add_mailbox(account.id, std::string(store::kAlwaysAllow), store::SpecialUse::none);
    add_mailbox(account.id, std::string(store::kAlwaysBlock), store::SpecialUse::none);
    add_mailbox(account.id, "Sent", store::SpecialUse::sent);
    add_mailbox(account.id, "Drafts", store::SpecialUse::drafts);
    add_mailbox(account.id, "Archive", store::SpecialUse::archive);
    return account.id;
  }
  io::Task<store::Change> create_account(store::Account account) override {
    auto id = add_account(account.address);
    accounts_[id - 1].password_row = account.password_row;
    accounts_[id - 1].admin = account.admin;
    co_return store::Change();
  }
  io::Task<store::Change> update_account(store::Account account) override {
    for (auto& known : accounts_) {
      if (known.id == account.id) known = account;
    }
    co_return store::Change();
  }
  io::Task<store::Change> remove_account(store::AccountId) override { co_return store::Change(); }

  std::shared_ptr<const mail::SenderList> senders(store::AccountId account) const override {
    auto found = senders_.find(account);
    return std::make_shared<const mail::SenderList>(found == senders_.end() ? mail::SenderList() : found->second);
  }
  io::Task<store::Change> set_sender(store::AccountId account, std::string sender, std::optional<mail::SenderWord> word) override {
    if (word) senders_[account][sender] = *word;
    else senders_[account].erase(sender);
    co_return store::Change();
  }

  std::vector<store::MailboxInfo> mailboxes(store::AccountId account) const override {
    std::map<std::string, store::MailboxInfo> sorted;
    for (const auto& [id, box] : boxes_) {
      if (box->view->info_.account == account) sorted[box->view->info_.name] = box->view->info_;
    }
    std::vector<store::MailboxInfo> out;
    for (auto& [name, info] : sorted) out.push_back(info);
    return out;
  }
  std::optional<store::MailboxInfo> mailbox(store::AccountId account, std::string_view name) const override {
    for (const auto& info : mailboxes(account)) {
      if (info.name == name) return info;
    }
    return std::nullopt;
  }
  std::optional<store::MailboxInfo> mailbox(store::AccountId account, store::SpecialUse use) const override {
    for (const auto& info : mailboxes(account)) {
      if (info.use == use) return info;
    }
    return std::nullopt;
  }
  std::optional<store::MailboxInfo> mailbox(store::MailboxId id) const override {
    auto found = boxes_.find(id);
    if (found == boxes_.end()) return std::nullopt;
    return found->second->view->info_;
  }
  io::Task<store::Created> create_mailbox(store::AccountId account, std::string name, store::SpecialUse use) override {
    store::Created out;
    if (fails(out)) co_return out;
    if (mailbox(account, name)) {
      out.outcome = store::Outcome::exists;
      co_return out;
    }
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      if (!mailbox(account, name.substr(0, slash))) add_mailbox(account, name.substr(0, slash), store::SpecialUse::none);
    }
    add_mailbox(account, name, use);
    co_return out;
  }
  io::Task<store::Change> rename_mailbox(store::AccountId account, std::string from, std::string to) override {
    store::Change out;
    auto found = mailbox(account, from);
    if (!found) out.outcome = store::Outcome::no_mailbox;
    if (mailbox(account, to)) out.outcome = store::Outcome::exists;
    if (!out.ok()) co_return out;
    for (auto& info : mailboxes(account)) {
      if (info.name != from && !info.name.starts_with(from + "/")) continue;
      auto next = copy_view(info.id);
      next->info_.name = to + info.name.substr(from.size());
      publish(next);
    }
    co_return out;
  }
  io::Task<store::Change> remove_mailbox(store::AccountId account, std::string name) override {
    store::Change out;
    auto found = mailbox(account, name);
    if (!found) {
      out.outcome = store::Outcome::no_mailbox;
      co_return out;
    }
    auto box = boxes_[found->id];
    boxes_.erase(found->id);
    box->view = nullptr;
    box->changed.notify();
    co_return out;
  }
  io::Task<store::Change> subscribe(store::AccountId, std::string name, bool subscribed) override {
    subscriptions_[name] = subscribed;
    co_return store::Change();
  }
  std::vector<std::string> subscriptions(store::AccountId) const override {
    std::vector<std::string> out;
    for (const auto& [name, subscribed] : subscriptions_) {
      if (subscribed) out.push_back(name);
    }
    return out;
  }

  io::Task<store::Delivered> deliver(store::Delivery delivery) override {
    store::Delivered out;
    if (fails(out)) co_return out;
    if (low_space && needs_space(delivery)) {
      out.outcome = store::Outcome::no_space;
      out.text = "the disk is nearly full";
      co_return out;
    }
    if (!queue_.allows(delivery.queue, out)) co_return out;
    for (const auto& item : delivery.items) {
      std::string record;
      for (const auto& piece : item.pieces) record += piece.view();
      auto octets = record.size();
      auto body = bodies_.add(std::move(record), item.targets.size() + item.onward.size());
      auto& placed = out.placed.emplace_back();
      for (const auto& target : item.targets) placed.push_back(place(item, target, body, octets));
      auto& queued = out.queued.emplace_back();
      for (const auto& onward : item.onward) queued.push_back(queue_.add(entry_of(item, onward, body, octets)));
    }
    queue_.change(delivery.queue, bodies_);
    change_rows(delivery.rows);
    co_return out;
  }
  io::Task<store::FlagsChanged> change_flags(store::MailboxId id, std::vector<store::Uid> uids, store::FlagOperation operation,
                                             store::Flags flags, std::optional<store::ModSeq>) override {
    store::FlagsChanged out;
    if (fails(out)) co_return out;
    auto next = copy_view(id);
    if (!next) {
      out.outcome = store::Outcome::no_mailbox;
      co_return out;
    }
    std::uint64_t bits = next->bits_of(flags.keywords);
    for (auto& entry : next->entries_) {
      if (!std::binary_search(uids.begin(), uids.end(), entry.uid)) continue;
      auto before = std::pair(entry.flags, entry.keywords);
      if (operation == store::FlagOperation::replace) {
        entry.flags = flags.system;
        entry.keywords = bits;
      } else if (operation == store::FlagOperation::add) {
        entry.flags |= flags.system;
        entry.keywords |= bits;
      } else {
        entry.flags = static_cast<std::uint8_t>(entry.flags & ~flags.system);
        entry.keywords &= ~bits;
      }
      if (before != std::pair(entry.flags, entry.keywords)) out.changed.push_back(entry.uid);
    }
    publish(next);
    co_return out;
  }
  io::Task<store::Copied> copy(store::MailboxId from, std::vector<store::Uid> uids, store::MailboxId to) override {
    store::Copied out;
    if (fails(out)) co_return out;
    copy_rows(from, uids, to, out);
    co_return out;
  }
  io::Task<store::Copied> move(store::MailboxId from, std::vector<store::Uid> uids, store::MailboxId to) override {
    store::Copied out;
    if (fails(out)) co_return out;
    copy_rows(from, uids, to, out);
    drop(from, uids);
    co_return out;
  }
  io::Task<store::Expunged> expunge(store::MailboxId id, std::optional<std::vector<store::Uid>> uids) override {
    store::Expunged out;
    if (fails(out)) co_return out;
    auto view = boxes_.at(id)->view;
    for (const auto& entry : view->entries_) {
      bool wanted = !uids || std::binary_search(uids->begin(), uids->end(), entry.uid);
      if (wanted && (entry.flags & store::flag::deleted) != 0) out.uids.push_back(entry.uid);
    }
    drop(id, out.uids);
    co_return out;
  }
  io::Task<store::Expunged> erase(store::MailboxId id, std::vector<store::Uid> uids) override {
    store::Expunged out;
    if (fails(out)) co_return out;
    drop(id, uids);
    out.uids = std::move(uids);
    co_return out;
  }

  io::Task<Result<std::unique_ptr<store::MailboxWatch>>> watch(store::MailboxId id) override {
    if (unreadable) co_return Error("a bad sector");
    std::unique_ptr<store::MailboxWatch> out;
    auto found = boxes_.find(id);
    if (found != boxes_.end()) out = std::make_unique<Watch>(found->second);
    co_return std::move(out);
  }
  io::Task<Result<std::optional<store::MessageRow>>> message(store::MailboxId id, store::Uid uid) override {
    if (unreadable) co_return Error("a bad sector");
    std::optional<store::MessageRow> out;
    auto found = rows_.find({id, uid});
    if (found != rows_.end()) out = found->second;
    co_return out;
  }
  io::Task<Result<std::vector<store::MessageRow>>> messages(store::MailboxId id, store::Uid first, store::Uid last, std::size_t limit) override {
    if (unreadable) co_return Error("a bad sector");
    std::vector<store::MessageRow> out;
    for (auto at = rows_.lower_bound({id, first}); at != rows_.end() && at->first.first == id && at->first.second <= last; ++at) {
      if (out.size() == limit) break;
      out.push_back(at->second);
    }
    co_return out;
  }
  io::Task<Result<std::string>> read(const store::MessageRow& row, std::uint64_t offset, std::uint64_t length) override {
    ++reads;
    if (row.uid == damage) co_return Result<std::string>(Error("the record is damaged"));
    co_return part(row.header_prefix, row.body, offset, length);
  }

  io::Task<Result<std::vector<store::QueueEntry>>> queue(store::QueueId from, std::size_t limit) override {
    if (unreadable) co_return Error("a bad sector");
    co_return queue_.page(from, limit);
  }
  io::Task<Result<std::optional<store::QueueEntry>>> queue_entry(store::QueueId id) override {
    if (unreadable) co_return Error("a bad sector");
    std::optional<store::QueueEntry> out;
    if (const auto* found = queue_.find(id)) out = *found;
    co_return out;
  }
  io::Task<Result<std::string>> read(const store::QueueEntry& entry, std::uint64_t offset, std::uint64_t length) override {
    if (entry.id == damaged_entry) co_return Result<std::string>(Error("the record is damaged"));
    co_return part(entry.header_prefix, entry.body, offset, length);
  }
  io::Task<Result<Octets>> record(const store::QueueEntry& entry) override {
    const auto* record = bodies_.find(entry.body);
    if (record == nullptr || entry.id == damaged_entry) co_return Result<Octets>(Error("the record is damaged"));
    co_return Result<Octets>(Octets(*record));
  }

  io::Task<store::Change> write(std::vector<store::Row> rows) override {
    store::Change out;
    if (fails(out)) co_return out;
    writes.push_back(rows.size());
    change_rows(rows);
    co_return out;
  }
  io::Task<Result<std::optional<std::string>>> get(std::string key) override {
    if (unreadable) co_return Error("a bad sector");
    std::optional<std::string> out;
    auto found = general.find(key);
    if (found != general.end()) out = found->second;
    co_return out;
  }
  io::Task<Result<std::vector<store::Row>>> scan(std::string prefix, std::string from, std::size_t limit) override {
    if (unreadable) co_return Error("a bad sector");
    std::vector<store::Row> out;
    auto at = general.lower_bound(std::max(prefix, from));
    for (; at != general.end() && at->first.starts_with(prefix) && out.size() < limit; ++at) {
      auto& row = out.emplace_back();
      row.key = at->first;
      row.value = at->second;
    }
    co_return out;
  }
  store::StoreState state() const override { return {}; }
  io::Task<bool> recover() override { co_return true; }
  std::vector<std::string> verify() override { return {}; }
  io::Task<Result<std::vector<std::optional<std::string>>>> get_all(std::vector<std::string> keys) override {
    if (unreadable) co_return Error("a bad sector");
    std::vector<std::optional<std::string>> out;
    for (const auto& key : keys) {
      auto found = general.find(key);
      out.push_back(found == general.end() ? std::nullopt : std::optional(found->second));
    }
    co_return out;
  }
  io::Task<store::Change> erase_rows(std::string from, std::string to) override {
    store::Change out;
    if (fails(out)) co_return out;
    general.erase(general.lower_bound(from), general.lower_bound(to));
    co_return out;
  }

  Time now = from_unix(1'700'000'000);

 private:
  struct View : store::MailboxView {
    const store::MailboxInfo& info() const override { return info_; }
    std::size_t size() const override { return entries_.size(); }
    const store::Entry& at(std::size_t index) const override { return entries_[index]; }
    std::optional<std::size_t> find(store::Uid uid) const override {
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].uid == uid) return i;
      }
      return std::nullopt;
    }
    const std::vector<std::string>& keywords() const override { return keywords_; }
    std::optional<std::vector<store::Uid>> vanished(store::ModSeq) const override { return std::nullopt; }
    std::uint64_t bits_of(const std::vector<std::string>& names) {
      std::uint64_t bits = 0;
      for (const auto& name : names) {
        std::size_t i = 0;
        while (i < keywords_.size() && keywords_[i] != name) ++i;
        if (i == keywords_.size() && i < 64) keywords_.push_back(name);
        if (i < 64) bits |= std::uint64_t{1} << i;
      }
      return bits;
    }
    store::MailboxInfo info_;
    std::vector<store::Entry> entries_;
    std::vector<std::string> keywords_;
  };
  struct Box {
    std::shared_ptr<const View> view;
    io::Signal changed;
  };
  struct Watch : store::MailboxWatch {
    explicit Watch(std::shared_ptr<Box> b) : box(std::move(b)) {}
    std::shared_ptr<const store::MailboxView> latest() const override { return box->view; }
    io::Signal& changed() override { return box->changed; }
    std::shared_ptr<Box> box;
  };

  bool fails(store::Change& change) const {
    change.outcome = fail_with;
    change.text = "made to fail";
    return fail_with != store::Outcome::done;
  }
  void change_rows(const std::vector<store::Row>& rows) {
    for (const auto& row : rows) {
      if (row.value) {
        general[row.key] = *row.value;
      } else {
        general.erase(row.key);
      }
    }
  }
  static bool needs_space(const store::Delivery& delivery) {
    for (const auto& item : delivery.items) {
      if (!item.targets.empty() || !item.onward.empty()) return true;
    }
    return std::any_of(delivery.rows.begin(), delivery.rows.end(), [](const auto& row) { return row.value.has_value(); });
  }
  store::Placed place(const store::Item& item, const store::Target& target, store::BodyId body, std::uint64_t octets) {
    auto info = target.use == store::SpecialUse::none ? mailbox(target.account, target.mailbox) : mailbox(target.account, target.use);
    if (!info) info = add_mailbox(target.account, target.mailbox, target.use);
    store::MessageRow row;
    row.id = item.id;
    row.header_prefix = target.header_prefix;
    row.body = body;
    row.record_octets = octets;
    row.flags = target.flags;
    row.internal_date = item.internal_date == Time{} ? now : item.internal_date;
    row.parts = item.parts;
    row.envelope = item.envelope;
    row.held = target.held;
    return insert(info->id, std::move(row));
  }
  store::QueueEntry entry_of(const store::Item& item, const store::Onward& onward, store::BodyId body, std::uint64_t octets) const {
    store::QueueEntry entry;
    entry.message_id = item.id;
    entry.destination = onward.destination;
    entry.arrived = now;
    entry.due = onward.due == Time{} ? now : onward.due;
    entry.header_prefix = onward.header_prefix;
    entry.body = body;
    entry.record_octets = octets;
    entry.state = onward.state;
    return entry;
  }
  Result<std::string> part(const std::string& prefix, store::BodyId body, std::uint64_t offset, std::uint64_t length) const {
    const auto* record = bodies_.find(body);
    if (record == nullptr) return Error("body " + std::to_string(body) + " is not there");
    std::string whole = prefix + *record;
    return offset >= whole.size() ? std::string() : whole.substr(offset, length);
  }
  store::MailboxInfo add_mailbox(store::AccountId account, std::string name, store::SpecialUse use) {
    auto box = std::make_shared<Box>();
    auto view = std::make_shared<View>();
    view->info_.id = ++last_mailbox_;
    view->info_.account = account;
    view->info_.name = std::move(name);
    view->info_.use = use;
    view->info_.uidvalidity = 1000 + static_cast<std::uint32_t>(view->info_.id);
    box->view = view;
    boxes_[view->info_.id] = box;
    return view->info_;
  }
  std::shared_ptr<View> copy_view(store::MailboxId id) {
    auto found = boxes_.find(id);
    return found == boxes_.end() ? nullptr : std::make_shared<View>(*found->second->view);
  }
  void publish(const std::shared_ptr<View>& next) {
    auto& box = *boxes_.at(next->info_.id);
    next->info_.messages = next->entries_.size();
    next->info_.unseen = 0;
    for (const auto& entry : next->entries_) next->info_.unseen += (entry.flags & store::flag::seen) == 0 ? 1 : 0;
    box.view = next;
    box.changed.notify();
  }
  store::Placed insert(store::MailboxId id, store::MessageRow row) {
    auto next = copy_view(id);
    row.mailbox = id;
    row.uid = next->info_.uidnext++;
    store::Entry entry;
    entry.uid = row.uid;
    entry.flags = row.flags.system;
    entry.keywords = next->bits_of(row.flags.keywords);
    entry.size = row.size();
    entry.internal_date = to_unix(row.internal_date);
    next->entries_.push_back(entry);
    publish(next);
    store::Placed placed{id, next->info_.uidvalidity, row.uid};
    rows_[{id, row.uid}] = std::move(row);
    return placed;
  }
  void copy_rows(store::MailboxId from, const std::vector<store::Uid>& uids, store::MailboxId to, store::Copied& out) {
    for (auto uid : uids) {
      auto found = rows_.find({from, uid});
      if (found == rows_.end()) continue;
      auto row = found->second;
      const auto& source = *boxes_.at(from)->view;
      const auto& entry = source.entries_[*source.find(uid)];
      row.flags.system = entry.flags;
      row.flags.keywords.clear();
      for (std::size_t i = 0; i < source.keywords_.size(); ++i) {
        if ((entry.keywords >> i & 1) != 0) row.flags.keywords.push_back(source.keywords_[i]);
      }
      bodies_.refer(row.body, 1);
      auto placed = insert(to, std::move(row));
      out.uids.emplace_back(uid, placed.uid);
      out.uidvalidity = placed.uidvalidity;
    }
  }
  void drop(store::MailboxId id, const std::vector<store::Uid>& uids) {
    auto next = copy_view(id);
    std::erase_if(next->entries_, [&](const store::Entry& entry) { return std::binary_search(uids.begin(), uids.end(), entry.uid); });
    for (auto uid : uids) {
      auto row = rows_.find({id, uid});
      if (row == rows_.end()) continue;
      bodies_.refer(row->second.body, -1);
      rows_.erase(row);
    }
    publish(next);
  }

  std::vector<store::Account> accounts_;
  std::map<store::MailboxId, std::shared_ptr<Box>> boxes_;
  store::MailboxId last_mailbox_ = 0;
  std::map<std::pair<store::MailboxId, store::Uid>, store::MessageRow> rows_;
  MemoryBodies bodies_;
  MemoryQueue queue_;
  std::map<std::string, bool> subscriptions_;
  std::map<store::AccountId, mail::SenderList> senders_;
};

}  // namespace postern::test
