// Accounts and mailboxes in memory: what LIST, STATUS, RCPT and LOGIN ask without waiting.
#include "gateway/store/catalog.h"

#include <functional>
#include <mutex>

namespace postern::store {
namespace {

constexpr std::size_t kPage = 4096;

// Calls `take` with each row that begins with `letter`.
Status each(const KvReader& rows, char letter, const std::function<Status(const KvRow&)>& take) {
  std::string from(1, letter);
  const std::string to(1, static_cast<char>(letter + 1));
  for (;;) {
    auto page = rows.scan(from, to, kPage, KvReader::Reach::disk);
    if (!page.ok()) return Error(page.error);
    for (const auto& row : page.value) {
      if (auto taken = take(row); !taken) return taken;
    }
    if (page.value.size() < kPage) return {};
    from = page.value.back().key + '\0';
  }
}

Error damaged(std::string_view what, const KvRow& row) {
  return Error("the " + std::string(what) + " row " + std::to_string(first_number(row.key)) + " is damaged: restore a backup");
}

}  // namespace

Status Catalog::load(const KvReader& rows, std::vector<MailboxId>& doomed) {
  Catalog read;   // until all of it is there, the old one answers
  if (auto loaded = read.read_rows(rows, doomed); !loaded) return loaded;
  std::unique_lock lock(mutex_);
  accounts_ = std::move(read.accounts_);
  addresses_ = std::move(read.addresses_);
  mailboxes_ = std::move(read.mailboxes_);
  segments_ = std::move(read.segments_);
  sparse_ = std::move(read.sparse_);
  live_octets_ = read.live_octets_;
  counters_ = read.counters_;
  queue_ = read.queue_;
  return {};
}

Status Catalog::read_rows(const KvReader& rows, std::vector<MailboxId>& doomed) {
  auto counters = rows.get(std::vector<std::string>{std::string(kCountersKey), std::string(kQueueCounterKey)}, KvReader::Reach::disk);
  if (!counters.ok()) return Error(counters.error);
  if (counters.value[0]) {
    auto decoded = decode_counters(*counters.value[0]);
    if (!decoded) return Error("the row of counters is damaged: restore a backup");
    counters_ = *decoded;
  }
  if (counters.value[1]) {
    auto decoded = decode_queue_counter(*counters.value[1]);
    if (!decoded) return Error("the row of the queue's counter is damaged: restore a backup");
    queue_ = *decoded;
  }
  auto loaded = each(rows, 'a', [&](const KvRow& row) -> Status {
    auto account = decode_account(row.value);
    if (!account) return damaged("account", row);
    addresses_[account->address] = account->id;
    auto id = account->id;
    accounts_[id].account = std::move(*account);
    return {};
  });
  if (!loaded) return loaded;
  loaded = each(rows, 'u', [&](const KvRow& row) -> Status {
    auto owner = accounts_.find(first_number(row.key));
    if (owner != accounts_.end()) owner->second.subscriptions.insert(row.key.substr(9));
    return {};
  });
  if (!loaded) return loaded;
  if (loaded = read_senders(rows); !loaded) return loaded;
  loaded = each(rows, 'x', [&](const KvRow& row) -> Status {
    auto mailbox = decode_mailbox(row.value);
    if (!mailbox) return damaged("mailbox", row);
    auto owner = accounts_.find(mailbox->info.account);
    if (owner == accounts_.end()) return damaged("mailbox", row);
    owner->second.names[mailbox->info.name] = mailbox->info.id;
    auto id = mailbox->info.id;
    mailboxes_[id] = std::move(*mailbox);
    return {};
  });
  if (!loaded) return loaded;
  loaded = each(rows, 's', [&](const KvRow& row) -> Status {
    auto segment = decode_segment(row.value);
    if (!segment) return damaged("segment", row);
    set_segment(first_number(row.key), segment);
    return {};
  });
  if (!loaded) return loaded;
  return each(rows, 'd', [&](const KvRow& row) -> Status {
    doomed.push_back(first_number(row.key));
    return {};
  });
}

Status Catalog::read_senders(const KvReader& rows) {
  std::unordered_map<AccountId, mail::SenderList> lists;
  auto loaded = each(rows, 'w', [&](const KvRow& row) -> Status {
    auto word = decode_sender(row.value);
    if (!word) return damaged("senders'", row);
    if (row.key.size() > 9) lists[first_number(row.key)].emplace(row.key.substr(9), *word);
    return {};
  });
  if (!loaded) return loaded;
  for (auto& [id, list] : lists) {
    auto owner = accounts_.find(id);
    if (owner != accounts_.end()) owner->second.senders = std::make_shared<const mail::SenderList>(std::move(list));
  }
  return {};
}

void Catalog::adopt(CatalogChanges changes) {
  std::unique_lock lock(mutex_);
  for (auto& [id, state] : changes.accounts) {
    auto old = accounts_.find(id);
    if (old != accounts_.end()) {
      // Its address may belong to another of these changes already: they come in no order.
      auto address = addresses_.find(old->second.account.address);
      if (address != addresses_.end() && address->second == id) addresses_.erase(address);
    }
    if (state) {
      addresses_[state->account.address] = id;
      accounts_[id] = std::move(*state);
    } else if (old != accounts_.end()) {
      accounts_.erase(old);
    }
  }
  for (auto& [id, state] : changes.mailboxes) {
    if (state) mailboxes_[id] = std::move(*state);
    else mailboxes_.erase(id);
  }
  for (const auto& [number, row] : changes.segments) set_segment(number, row);
  counters_ = changes.counters;
  queue_ = changes.queue;
}

void Catalog::set_segment(std::uint64_t number, const std::optional<SegmentRow>& row) {
  auto old = segments_.find(number);
  if (old != segments_.end()) live_octets_ -= old->second.live;
  sparse_.erase(number);
  if (!row) {
    segments_.erase(number);
    return;
  }
  segments_[number] = *row;
  live_octets_ += row->live;
  if (is_sparse(*row)) sparse_.insert(number);
}

std::optional<Account> Catalog::account(std::string_view address) const {
  std::shared_lock lock(mutex_);
  const auto* state = peek_account(address);
  if (state == nullptr) return {};
  return state->account;
}

std::optional<Account> Catalog::account(AccountId id) const {
  std::shared_lock lock(mutex_);
  const auto* state = peek_account(id);
  if (state == nullptr) return {};
  return state->account;
}

std::vector<Account> Catalog::accounts() const {
  std::shared_lock lock(mutex_);
  std::vector<Account> all;
  for (const auto& [address, id] : addresses_) all.push_back(accounts_.at(id).account);
  return all;
}

std::optional<MailboxInfo> Catalog::info(MailboxId id) const {
  const auto* state = peek_mailbox(id);
  if (state == nullptr) return {};
  auto info = state->info;
  const auto* owner = peek_account(info.account);
  info.subscribed = owner != nullptr && owner->subscriptions.contains(info.name);
  return info;
}

std::vector<MailboxInfo> Catalog::mailboxes(AccountId account) const {
  std::shared_lock lock(mutex_);
  std::vector<MailboxInfo> all;
  const auto* owner = peek_account(account);
  if (owner == nullptr) return all;
  for (const auto& [name, id] : owner->names) {
    auto found = info(id);
    if (found) all.push_back(std::move(*found));
  }
  return all;
}

std::optional<MailboxInfo> Catalog::mailbox(MailboxId id) const {
  std::shared_lock lock(mutex_);
  return info(id);
}

std::optional<MailboxInfo> Catalog::mailbox(AccountId account, std::string_view name) const {
  std::shared_lock lock(mutex_);
  const auto* owner = peek_account(account);
  if (owner == nullptr) return {};
  auto found = owner->names.find(name);
  if (found == owner->names.end()) return {};
  return info(found->second);
}

std::optional<MailboxInfo> Catalog::mailbox(AccountId account, SpecialUse use) const {
  std::shared_lock lock(mutex_);
  const auto* owner = peek_account(account);
  if (owner == nullptr) return {};
  for (const auto& [name, id] : owner->names) {
    const auto* state = peek_mailbox(id);
    if (state != nullptr && state->info.use == use) return info(id);
  }
  return {};
}

std::vector<std::string> Catalog::subscriptions(AccountId account) const {
  std::shared_lock lock(mutex_);
  const auto* owner = peek_account(account);
  if (owner == nullptr) return {};
  return {owner->subscriptions.begin(), owner->subscriptions.end()};
}

std::shared_ptr<const mail::SenderList> Catalog::senders(AccountId account) const {
  static const auto kNobody = std::make_shared<const mail::SenderList>();
  std::shared_lock lock(mutex_);
  const auto* owner = peek_account(account);
  return owner == nullptr || !owner->senders ? kNobody : owner->senders;
}

std::map<std::uint64_t, SegmentRow> Catalog::segments() const {
  std::shared_lock lock(mutex_);
  return segments_;
}

std::optional<SegmentRow> Catalog::segment(std::uint64_t number) const {
  std::shared_lock lock(mutex_);
  const auto* row = peek_segment(number);
  return row == nullptr ? std::nullopt : std::optional(*row);
}

std::vector<std::uint64_t> Catalog::sparse_segments() const {
  std::shared_lock lock(mutex_);
  return {sparse_.begin(), sparse_.end()};
}

Catalog::SegmentTotals Catalog::segment_totals() const {
  std::shared_lock lock(mutex_);
  return {.count = segments_.size(), .live = live_octets_};
}

const AccountState* Catalog::peek_account(AccountId id) const {
  auto found = accounts_.find(id);
  return found == accounts_.end() ? nullptr : &found->second;
}

const AccountState* Catalog::peek_account(std::string_view address) const {
  auto found = addresses_.find(address);
  return found == addresses_.end() ? nullptr : peek_account(found->second);
}

const MailboxState* Catalog::peek_mailbox(MailboxId id) const {
  auto found = mailboxes_.find(id);
  return found == mailboxes_.end() ? nullptr : &found->second;
}

const SegmentRow* Catalog::peek_segment(std::uint64_t segment) const {
  auto found = segments_.find(segment);
  return found == segments_.end() ? nullptr : &found->second;
}

}  // namespace postern::store
