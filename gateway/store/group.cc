// One commit while it is gathered.
#include "gateway/store/group.h"

#include <algorithm>
#include <numeric>

#include "gateway/base/check.h"
#include "gateway/base/id.h"
#include "gateway/base/text.h"

namespace postern::store {
namespace {

// How many expunges a mailbox remembers for QRESYNC; older ones raise its vanished_floor.
constexpr ModSeq kRememberedModseqs = 20'000;

}  // namespace

Group::Group(const Catalog& catalog, const Kv& rows, BodyStore& bodies) : catalog_(catalog), rows_(rows), body_store_(bodies) {
  changes_.counters = catalog.counters();
  changes_.queue = catalog.queue();
  body_store_.drop_planned();
}

std::optional<std::string> Group::get(const std::string& key) {
  return std::move(get(std::vector<std::string>{key})[0]);
}

std::vector<std::optional<std::string>> Group::get(const std::vector<std::string>& keys) {
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<std::string> asked;
  std::vector<std::size_t> where;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto found = pending_.find(keys[i]);
    if (found != pending_.end()) {
      values[i] = found->second;
    } else {
      asked.push_back(keys[i]);
      where.push_back(i);
    }
  }
  if (asked.empty() || !failure_.empty()) return values;
  auto answer = rows_.get(asked, KvReader::Reach::disk);
  if (!answer.ok()) {
    failure_ = answer.error;
    return values;
  }
  for (std::size_t i = 0; i < where.size(); ++i) values[where[i]] = std::move(answer.value[i]);
  return values;
}

std::vector<KvRow> Group::scan(const std::string& from, const std::string& to, std::size_t limit) {
  auto mine = pending_.lower_bound(from);
  auto end = pending_.lower_bound(to);
  // Each erased row of this group may hide one of the rows on disk.
  auto hidden = static_cast<std::size_t>(std::count_if(mine, end, [](const auto& row) { return !row.second; }));
  auto answer = rows_.scan(from, to, limit + hidden, KvReader::Reach::disk);
  if (!answer.ok()) {
    fail(answer.error);
    return {};
  }
  std::vector<KvRow> merged;
  auto& disk = answer.value;
  std::size_t next = 0;
  while (merged.size() < limit && (next < disk.size() || mine != end)) {
    if (mine == end || (next < disk.size() && disk[next].key < mine->first)) {
      merged.push_back(std::move(disk[next++]));
      continue;
    }
    if (next < disk.size() && disk[next].key == mine->first) ++next;
    if (mine->second) merged.push_back({mine->first, *mine->second});
    ++mine;
  }
  return merged;
}

void Group::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
}

void Group::put(std::string key, std::string value) { pending_.insert_or_assign(std::move(key), std::move(value)); }
void Group::erase(std::string key) { pending_.insert_or_assign(std::move(key), std::nullopt); }
void Group::erase_range(std::string from, std::string to) { ranges_.emplace_back(std::move(from), std::move(to)); }

const AccountState* Group::peek_account(AccountId id) const {
  auto found = changes_.accounts.find(id);
  if (found == changes_.accounts.end()) return catalog_.peek_account(id);
  return found->second ? &*found->second : nullptr;
}

const MailboxState* Group::peek_mailbox(MailboxId id) const {
  auto found = changes_.mailboxes.find(id);
  if (found == changes_.mailboxes.end()) return catalog_.peek_mailbox(id);
  return found->second ? &*found->second : nullptr;
}

bool Group::address_taken(std::string_view address, AccountId but) const {
  for (const auto& [id, state] : changes_.accounts) {
    if (id != but && state && state->account.address == address) return true;
  }
  const auto* owner = catalog_.peek_account(address);
  if (owner == nullptr || owner->account.id == but) return false;
  return !changes_.accounts.contains(owner->account.id);   // if changed here, it was looked at above
}

MailboxState* Group::edit_mailbox(MailboxId id) {
  auto found = changes_.mailboxes.find(id);
  if (found != changes_.mailboxes.end()) return found->second ? &*found->second : nullptr;
  const auto* state = catalog_.peek_mailbox(id);
  if (state == nullptr) return nullptr;
  return &*changes_.mailboxes.emplace(id, *state).first->second;
}

AccountState* Group::edit_account(AccountId id) {
  auto found = changes_.accounts.find(id);
  if (found != changes_.accounts.end()) return found->second ? &*found->second : nullptr;
  const auto* state = catalog_.peek_account(id);
  if (state == nullptr) return nullptr;
  return &*changes_.accounts.emplace(id, *state).first->second;
}

MailboxState* Group::add_mailbox(AccountId account, const std::string& name, SpecialUse use) {
  auto* owner = edit_account(account);
  CHECK(owner != nullptr && !owner->names.contains(name));
  auto& counters = changes_.counters;
  MailboxState state;
  state.info.id = counters.next_mailbox++;
  state.info.account = account;
  state.info.name = name;
  state.info.use = use;
  // RFC 3501 2.3.1.1: greater than any before.  From the clock, so that a store made anew in the
  // place of a lost one does not give the old values again.
  auto now = static_cast<std::uint32_t>(to_unix(Clock::system().now()));
  counters.last_uidvalidity = std::max(counters.last_uidvalidity + 1, now);
  state.info.uidvalidity = counters.last_uidvalidity;
  auto id = state.info.id;
  owner->names[name] = id;
  return &*changes_.mailboxes.insert_or_assign(id, std::move(state)).first->second;
}

void Group::remove_mailbox(MailboxId id) {
  const auto* state = peek_mailbox(id);
  CHECK(state != nullptr);
  if (auto* owner = edit_account(state->info.account)) owner->names.erase(state->info.name);
  put(doomed_key(id), "");
  erase(mailbox_key(id));
  changes_.mailboxes.insert_or_assign(id, std::nullopt);
  events_[id];
}

AccountId Group::add_account(Account account) {
  account.id = changes_.counters.next_account++;
  AccountState state;
  auto id = account.id;
  put(account_key(id), encode(account));
  state.account = std::move(account);
  changes_.accounts.insert_or_assign(id, std::move(state));
  return id;
}

void Group::remove_account(AccountId id) {
  auto* state = edit_account(id);
  CHECK(state != nullptr);
  auto names = state->names;
  for (const auto& [name, mailbox] : names) remove_mailbox(mailbox);
  for (const auto& name : state->subscriptions) erase(subscription_key(id, name));
  if (state->senders) {
    for (const auto& [sender, word] : *state->senders) erase(sender_key(id, sender));
  }
  erase(account_key(id));
  changes_.accounts.insert_or_assign(id, std::nullopt);
}

const MailboxState* Group::find(AccountId account, std::string_view name) const {
  const auto* owner = peek_account(account);
  if (owner == nullptr) return nullptr;
  auto found = owner->names.find(name);
  return found == owner->names.end() ? nullptr : peek_mailbox(found->second);
}

const MailboxState* Group::find(AccountId account, SpecialUse use) const {
  const auto* owner = peek_account(account);
  if (owner == nullptr) return nullptr;
  for (const auto& [name, id] : owner->names) {
    const auto* state = peek_mailbox(id);
    if (state != nullptr && state->info.use == use) return state;
  }
  return nullptr;
}

namespace {
void count(MailboxInfo& info, const Entry& entry, int sign) {
  auto one = static_cast<std::uint64_t>(static_cast<std::int64_t>(sign));   // adds or, wrapping, takes away
  info.messages += one;
  if ((entry.flags & flag::seen) == 0) info.unseen += one;
  info.octets += one * entry.size;
}
}  // namespace

void Group::add_message(MailboxState& mailbox, const IndexRow& index, const StoredMessage& message) {
  auto id = mailbox.info.id;
  put(index_key(id, index.entry.uid), encode(index));
  put(message_key(id, index.entry.uid), encode(message));
  count(mailbox.info, index.entry, 1);
  events_[id].events.push_back({.kind = MailboxEvent::Kind::added, .entry = index.entry, .modseq = 0, .uids = {}});
}

void Group::replace_index(MailboxState& mailbox, const IndexRow& before, const IndexRow& after) {
  auto id = mailbox.info.id;
  put(index_key(id, after.entry.uid), encode(after));
  count(mailbox.info, before.entry, -1);
  count(mailbox.info, after.entry, 1);
  events_[id].events.push_back({.kind = MailboxEvent::Kind::changed, .entry = after.entry, .modseq = 0, .uids = {}});
}

void Group::remove_message(MailboxState& mailbox, const IndexRow& index, Body body) {
  auto id = mailbox.info.id;
  erase(index_key(id, index.entry.uid));
  erase(message_key(id, index.entry.uid));
  count(mailbox.info, index.entry, -1);
  if (body == Body::release) refer(index.body, -1);
}

void Group::vanish(MailboxState& mailbox, ModSeq modseq, std::vector<Uid> uids) {
  auto id = mailbox.info.id;
  put(vanished_key(id, modseq), encode_uids(uids));
  events_[id].events.push_back({.kind = MailboxEvent::Kind::vanished, .entry = {}, .modseq = modseq, .uids = std::move(uids)});
  // In steps of a quarter, so that the range is erased seldom.
  if (modseq > mailbox.vanished_floor + kRememberedModseqs + kRememberedModseqs / 4) {
    auto floor = modseq - kRememberedModseqs;
    erase_range(vanished_key(id, 0), vanished_key(id, floor + 1));
    mailbox.vanished_floor = floor;
  }
}

std::optional<unsigned> Group::keyword_bit(MailboxState& mailbox, std::string_view keyword) {
  auto& known = mailbox.keywords;
  auto found = std::find_if(known.begin(), known.end(), [&](const auto& one) { return iequals(one, keyword); });
  if (found != known.end()) return static_cast<unsigned>(found - known.begin());
  if (known.size() >= kMaxKeywords) return {};
  known.emplace_back(keyword);
  return static_cast<unsigned>(known.size() - 1);
}

void Group::trace(std::string_view id, const TraceEvent& event) {
  auto number = id_number(id);
  if (!number || time_of_id(*number) < catalog_.traced_from()) return;
  if (auto row = trace_event_row(id, event)) append(general_key(row->key), std::move(*row->value));
}

SegmentRow* Group::edit_segment(std::uint64_t segment) {
  auto found = changes_.segments.find(segment);
  if (found != changes_.segments.end()) return found->second ? &*found->second : nullptr;
  const auto* row = catalog_.peek_segment(segment);
  SegmentRow first{.live = 0, .end = kSegmentHeader};
  return &*changes_.segments.emplace(segment, row != nullptr ? *row : first).first->second;
}

void Group::write_body_row(BodyId id, const BodyRow& body) { put(body_key(id), encode(body)); }

BodyId Group::add_body(NewBody body, std::uint64_t references, bool written) {
  if (!written && !bodies_begun_) {
    body_error_ = body_store_.begin_group();
    bodies_begun_ = true;
  }
  if (body_error_) return body.id;
  if (!written) body_store_.plan(body);
  auto id = body.id;
  auto* segment = edit_segment(body.place.segment);
  CHECK(segment != nullptr);
  segment->live += record_size(body.place);
  segment->end = std::max(segment->end, body.place.offset + record_size(body.place));
  write_body_row(id, {.place = body.place, .references = references});
  if (!written) bodies_.push_back(std::move(body));
  return id;
}

void Group::refer(BodyId id, std::int64_t by) {
  auto value = get(body_key(id));
  auto body = value ? decode_body(*value) : std::nullopt;
  if (!body) {
    fail("the row of body " + std::to_string(id) + " is missing or damaged");
    return;
  }
  body->references += static_cast<std::uint64_t>(by);
  if (body->references != 0) {
    write_body_row(id, *body);
    return;
  }
  erase(body_key(id));
  auto* segment = edit_segment(body->place.segment);
  if (segment != nullptr) segment->live -= std::min(segment->live, record_size(body->place));
}

void Group::move_body(BodyId id, const Place& from, const Place& to) {
  auto value = get(body_key(id));
  auto body = value ? decode_body(*value) : std::nullopt;
  if (!body || body->place != from) return;   // expunged meanwhile: the copy is garbage from its birth
  body->place = to;
  write_body_row(id, *body);
  if (auto* old = edit_segment(from.segment)) old->live -= std::min(old->live, record_size(from));
  auto* segment = edit_segment(to.segment);
  CHECK(segment != nullptr);
  segment->live += record_size(to);
  segment->end = std::max(segment->end, to.offset + record_size(to));
}

bool Group::leaves_sparse() const {
  return std::any_of(changes_.segments.begin(), changes_.segments.end(), [this](const auto& change) {
    return change.second && !body_store_.is_growing(change.first) && is_sparse(*change.second);
  });
}

KvBatch Group::batch() {
  for (auto& [number, row] : changes_.segments) {
    if (row && row->live == 0 && !body_store_.is_growing(number)) {
      emptied_.push_back(number);
      row.reset();
    }
    if (row) put(segment_key(number), encode(*row));
    else erase(segment_key(number));
  }
  for (auto& [id, state] : changes_.mailboxes) {
    if (!state) continue;
    put(mailbox_key(id), encode(*state));
    events_[id].state = *state;
  }
  changes_.counters.next_body = body_store_.next_id();
  put(std::string(kCountersKey), encode(changes_.counters));
  if (changes_.queue.next != catalog_.queue().next) put(std::string(kQueueCounterKey), encode(changes_.queue));
  KvBatch batch;
  batch.steps.reserve(pending_.size() + ranges_.size() + appended_.steps.size());
  for (auto& [from, to] : ranges_) batch.erase_range(std::move(from), std::move(to));
  // In their order the rows cost the memory table less than half: it goes on from where it wrote last.
  std::vector<std::uint32_t> order(appended_.steps.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
    int less = appended_.steps[a].key.compare(appended_.steps[b].key);
    return less != 0 ? less < 0 : a < b;
  });
  for (auto at : order) batch.steps.push_back(std::move(appended_.steps[at]));
  for (auto& [key, value] : pending_) {
    if (value) batch.put(key, std::move(*value));
    else batch.erase(key);
  }
  return batch;
}

}  // namespace postern::store
