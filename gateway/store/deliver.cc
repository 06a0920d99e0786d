// Delivery: each body once, a row in each mailbox, entries of the queue, and the rows that belong to it, all in one
// group.
#include "gateway/store/deliver.h"

#include <algorithm>

#include "gateway/store/mailbox.h"
#include "gateway/store/names.h"

namespace postern::store {
namespace {

constexpr std::size_t kMaxGeneralKey = 2048;

bool is_trace(std::string_view key) { return key.starts_with(kTracePrefix) || key.starts_with(kTraceIndexPrefix); }

void write_rows(Group& group, const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    if (row.value && is_trace(row.key)) group.append(general_key(row.key), *row.value);
    else if (row.value) group.put(general_key(row.key), *row.value);
    else group.erase(general_key(row.key));
  }
}

bool have_value(const std::vector<Row>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.value.has_value(); });
}

std::size_t references_of(const Item& item) { return item.targets.size() + item.onward.size(); }

QueueEntry entry_of(const Item& item, const Onward& onward, const NewBody& body, Time now) {
  QueueEntry entry;
  entry.message_id = item.id;
  entry.destination = onward.destination;
  entry.arrived = now;
  entry.due = onward.due == Time{} ? now : onward.due;
  entry.header_prefix = onward.header_prefix;
  entry.body = body.id;
  entry.record_octets = body.length;
  entry.state = onward.state;
  return entry;
}

bool keys_fit(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    if (row.key.empty() || row.key.size() >= kMaxGeneralKey) return false;
  }
  return true;
}

// Its user is to see what was held, and many mail programs show only what is subscribed.
void subscribe_held(Group& group, AccountId account) {
  if (group.find(account, kHeldMailbox) != nullptr) return;
  if (!group.edit_account(account)->subscriptions.insert(std::string(kHeldMailbox)).second) return;
  group.put(subscription_key(account, kHeldMailbox), "");
}

class WriteRows : public JobWith<Change> {
 public:
  explicit WriteRows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  bool grows() const override { return have_value(rows_); }
  bool apply(Group& group) override {
    result = Change();
    if (!keys_fit(rows_)) return refuse(Outcome::cannot, "a row's key has 1 to 2047 octets");
    write_rows(group, rows_);
    return true;
  }

 private:
  std::vector<Row> rows_;
};

class EraseRows : public JobWith<Change> {
 public:
  EraseRows(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  bool apply(Group& group) override {
    result = Change();
    auto owner = from_.substr(0, from_.find(':') + 1);
    bool one_owner = !owner.empty() && to_.starts_with(owner);
    if (!one_owner || from_ > to_) return refuse(Outcome::cannot, "a range of rows has one owner");
    if (from_ < to_) group.erase_range(general_key(from_), general_key(to_));
    return true;
  }

 private:
  std::string from_, to_;
};

// Where the copies of an item lie now, and which entries of the queue send it on.
void trace_stored(Group& group, const Item& item, const std::vector<Placed>& placed, const std::vector<QueueId>& queued) {
  constexpr std::size_t kMost = 90;   // copies and entries that are named: kMaxTraceFields
  TraceEvent event;
  event.kind = "stored";
  std::size_t named = 0;
  for (const auto& copy : placed) {
    if (named++ == kMost) break;
    const auto* mailbox = group.peek_mailbox(copy.mailbox);
    const auto* owner = mailbox != nullptr ? group.peek_account(mailbox->info.account) : nullptr;
    if (owner == nullptr) continue;
    event.fields.emplace_back("account", owner->account.address);
    event.fields.emplace_back("mailbox", mailbox->info.name);
    event.fields.emplace_back("uid", std::to_string(copy.uid));
  }
  for (std::size_t i = 0; i < queued.size(); ++i) {
    if (named++ >= kMost) break;
    event.fields.emplace_back("entry", std::to_string(queued[i]));
    event.fields.emplace_back("destination", item.onward[i].destination);
  }
  auto all = placed.size() + queued.size();
  if (all > kMost) event.fields.emplace_back("more", std::to_string(all - kMost));
  group.trace(item.id, event);
}

}  // namespace

Deliver::Deliver(Delivery delivery, BodyStore& bodies) : delivery_(std::move(delivery)), body_store_(bodies) {
  bodies_.resize(delivery_.items.size());
  written_.resize(delivery_.items.size());
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    auto& item = delivery_.items[i];
    if (references_of(item) == 0) continue;
    bodies_[i].id = body_store_.new_id();
    bodies_[i].pieces = std::move(item.pieces);
    measure(bodies_[i]);
  }
}

std::uint64_t Deliver::large_octets() const {
  std::uint64_t octets = 0;
  for (const auto& body : bodies_) octets += body.length > kLarge ? body.length : 0;
  return octets;
}

std::error_code Deliver::write_large() {
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    if (bodies_[i].length <= kLarge) continue;
    if (auto error = body_store_.write_alone(bodies_[i])) return error;
    written_[i] = true;
    bodies_[i].pieces.clear();
  }
  return {};
}

bool Deliver::grows() const {
  const auto& items = delivery_.items;
  return have_value(delivery_.rows) || std::any_of(items.begin(), items.end(), [](const Item& item) { return references_of(item) > 0; });
}

std::size_t Deliver::body_octets() const {
  std::size_t octets = 0;
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    if (!written_[i]) octets += bodies_[i].length;
  }
  return octets;
}

void Deliver::fail(Outcome outcome, std::string text) {
  JobWith::fail(outcome, std::move(text));
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    // If rows that name it may be on disk, the next start decides.
    if (written_[i] && !rows_written_) body_store_.remove(bodies_[i].place.segment);
    written_[i] = false;
  }
}

std::optional<Change> Deliver::look_for(const QueueEntries& entries) {
  std::optional<Change> refused;
  for (const auto& change : delivery_.queue) {
    if (entries.contains(change.id)) continue;
    result.gone.push_back(change.id);
    if (change.required) refused = Change{Outcome::cannot, "queue entry " + std::to_string(change.id) + " is gone"};
  }
  return refused;
}

// Finds or makes the mailboxes.  What refuses is looked for before anything is made.
std::optional<Change> Deliver::resolve(Group& group) {
  if (!keys_fit(delivery_.rows)) return Change{Outcome::cannot, "a row's key has 1 to 2047 octets"};
  for (const auto& item : delivery_.items) {
    for (const auto& target : item.targets) {
      if (group.peek_account(target.account) == nullptr) return Change{Outcome::no_mailbox, "no such account"};
      if (target.use != SpecialUse::none) continue;
      auto name = mailbox_name(target.mailbox);
      if (!name) return Change{Outcome::no_mailbox, name.error().text};
    }
  }
  goals_.assign(delivery_.items.size(), {});
  for (std::size_t i = 0; i < delivery_.items.size(); ++i) {
    for (const auto& target : delivery_.items[i].targets) {
      Goal goal;
      if (target.use == SpecialUse::none) {
        if (target.mailbox == kHeldMailbox) subscribe_held(group, target.account);
        goal.mailbox = ensure_mailbox(group, target.account, *mailbox_name(target.mailbox), SpecialUse::none);
      } else if (const auto* found = group.find(target.account, target.use)) {
        goal.mailbox = found->info.id;
      } else {   // removed by its user: made again; if the name is taken meanwhile, that one takes the mail
        goal.mailbox = ensure_mailbox(group, target.account, std::string(default_name(target.use)), target.use);
      }
      goal.uid = group.edit_mailbox(goal.mailbox)->info.uidnext++;
      goals_[i].push_back(goal);
    }
  }
  return {};
}

StoredMessage Deliver::stored(const Item& item, const Target& target, const NewBody& body, Time now) const {
  StoredMessage message;
  message.id = item.id;
  message.header_prefix = target.header_prefix;
  message.record_octets = body.length;
  message.saved_date = now.time_since_epoch().count();
  message.internal_date = (item.internal_date == Time{} ? now : item.internal_date).time_since_epoch().count();
  message.parts = item.parts;
  message.envelope = item.envelope;
  message.held = target.held;
  if (message.held && target.notice_of >= 0) {
    auto original = static_cast<std::size_t>(target.notice_of);
    if (original < goals_.size() && target.notice_of_target < goals_[original].size()) {
      message.held->original_mailbox = goals_[original][target.notice_of_target].mailbox;
      message.held->original_uid = goals_[original][target.notice_of_target].uid;
    }
  }
  return message;
}

std::vector<Placed> Deliver::place_copies(Group& group, std::size_t i, Time now) {
  const auto& item = delivery_.items[i];
  std::vector<Placed> placed;
  for (std::size_t t = 0; t < item.targets.size(); ++t) {
    const auto& target = item.targets[t];
    auto& mailbox = *group.edit_mailbox(goals_[i][t].mailbox);
    auto message = stored(item, target, bodies_[i], now);
    IndexRow index;
    index.body = bodies_[i].id;
    index.held = mark_of(message.held);
    index.entry.uid = goals_[i][t].uid;
    index.entry.flags = target.flags.system;
    for (const auto& keyword : target.flags.keywords) {
      auto bit = Group::keyword_bit(mailbox, keyword);
      if (bit) index.entry.keywords |= 1ULL << *bit;   // no room for a 65th: mail is worth more than its label
    }
    index.entry.modseq = group.next_modseq(mailbox);
    index.entry.size = message.header_prefix.size() + message.record_octets;
    index.entry.internal_date = to_unix(Time(std::chrono::microseconds(message.internal_date)));
    group.add_message(mailbox, index, message);
    placed.push_back({mailbox.info.id, mailbox.info.uidvalidity, index.entry.uid});
  }
  return placed;
}

void Deliver::place(Group& group) {
  auto now = Clock::system().now();
  for (std::size_t i = 0; i < delivery_.items.size(); ++i) {
    const auto& item = delivery_.items[i];
    if (references_of(item) > 0) group.add_body(bodies_[i], references_of(item), written_[i]);
    result.placed.push_back(place_copies(group, i, now));
    auto& queued = result.queued.emplace_back();
    for (const auto& onward : item.onward) queued.push_back(enqueue(group, entry_of(item, onward, bodies_[i], now)));
    if (references_of(item) > 0) trace_stored(group, item, result.placed.back(), queued);
  }
}

bool Deliver::apply(Group& group) {
  result = Delivered();
  auto entries = find_entries(group, delivery_.queue);
  auto refused = look_for(entries);
  if (!refused) refused = resolve(group);
  if (refused) {
    auto gone = std::move(result.gone);
    fail(refused->outcome, refused->text);
    result.gone = std::move(gone);
    return true;
  }
  place(group);
  change_entries(group, delivery_.queue, std::move(entries));
  write_rows(group, delivery_.rows);
  return true;
}

std::shared_ptr<JobWith<Change>> write_rows_job(std::vector<Row> rows) { return std::make_shared<WriteRows>(std::move(rows)); }
std::shared_ptr<JobWith<Change>> erase_rows_job(std::string from, std::string to) { return std::make_shared<EraseRows>(std::move(from), std::move(to)); }

}  // namespace postern::store
