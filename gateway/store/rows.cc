// Keys and values of the rows.  A new field of a value raises Writer::kVersion and its decode takes both.
#include "gateway/store/rows.h"

#include "gateway/store/coding.h"

namespace postern::store {
namespace {

void append_number(std::string& key, std::uint64_t number, int octets) {
  for (int shift = (octets - 1) * 8; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
}

std::string numbered(char letter, std::uint64_t number) {
  std::string key(1, letter);
  append_number(key, number, 8);
  return key;
}

std::uint64_t number_at(std::string_view key, std::size_t offset, std::size_t octets) {
  if (key.size() < offset + octets) return 0;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < octets; ++i) number = (number << 8) | static_cast<unsigned char>(key[offset + i]);
  return number;
}

constexpr std::uint64_t kMax32 = 0xffffffff;
constexpr std::uint64_t kReleased = 1, kNotice = 2, kHasRecipient = 4, kOutgoing = 8;   // bits of Held
constexpr std::uint64_t kAdmin = 1, kHasDeliver = 2;                                    // bits of Account

}  // namespace

std::string prefix_of(char letter, std::uint64_t number) { return numbered(letter, number); }
std::string account_key(AccountId id) { return numbered('a', id); }
std::string subscription_key(AccountId id, std::string_view name) { return numbered('u', id).append(name); }
std::string sender_key(AccountId id, std::string_view sender) { return numbered('w', id).append(sender); }
std::string mailbox_key(MailboxId id) { return numbered('x', id); }
std::string index_key(MailboxId id, Uid uid) {
  auto key = numbered('i', id);
  append_number(key, uid, 4);
  return key;
}
std::string message_key(MailboxId id, Uid uid) {
  auto key = numbered('m', id);
  append_number(key, uid, 4);
  return key;
}
std::string vanished_key(MailboxId id, ModSeq modseq) {
  auto key = numbered('c', id);
  append_number(key, modseq, 8);
  return key;
}
std::string doomed_key(MailboxId id) { return numbered('d', id); }
std::string body_key(BodyId id) { return numbered('b', id); }
std::string segment_key(std::uint64_t segment) { return numbered('s', segment); }
std::string queue_key(QueueId id) { return numbered('q', id); }
std::string general_key(std::string_view key) { return std::string("g").append(key); }

std::uint64_t first_number(std::string_view key) { return number_at(key, 1, 8); }
std::uint64_t second_number(std::string_view key, std::size_t second_octets) { return number_at(key, 9, second_octets); }

HeldMark mark_of(const std::optional<Held>& held) {
  if (!held) return HeldMark::none;
  if (!held->outgoing.empty()) return HeldMark::outgoing;
  if (held->notice) return HeldMark::notice;
  return held->released ? HeldMark::released : HeldMark::held;
}

std::string encode(const Account& account) {
  Writer out;
  out.number(account.id);
  out.text(account.address);
  out.text(account.password_row);
  out.number((account.admin ? kAdmin : 0) | (account.deliver.empty() ? 0 : kHasDeliver));
  out.number(account.groups.size());
  for (const auto& group : account.groups) out.text(group);
  out.signed_number(account.created.time_since_epoch().count());
  if (!account.deliver.empty()) out.text(account.deliver);
  return out.take();
}

std::optional<Account> decode_account(std::string_view value) {
  Parser in(value);
  Account account;
  account.id = in.number();
  account.address = in.text();
  account.password_row = in.text();
  auto bits = in.number_up_to(kAdmin | kHasDeliver);
  account.admin = (bits & kAdmin) != 0;
  for (auto left = in.count(); left > 0; --left) account.groups.push_back(in.text());
  account.created = Time(std::chrono::microseconds(in.signed_number()));
  if ((bits & kHasDeliver) != 0) account.deliver = in.text();
  if (!in.done()) return {};
  return account;
}

std::string encode(const MailboxState& mailbox) {
  const auto& info = mailbox.info;
  Writer out;
  out.number(info.id);
  out.number(info.account);
  out.text(info.name);
  out.number(static_cast<std::uint64_t>(info.use));
  out.number(info.uidvalidity);
  out.number(info.uidnext);
  out.number(info.highestmodseq);
  out.number(info.messages);
  out.number(info.unseen);
  out.number(info.octets);
  out.number(mailbox.vanished_floor);
  out.number(mailbox.keywords.size());
  for (const auto& keyword : mailbox.keywords) out.text(keyword);
  return out.take();
}

std::optional<MailboxState> decode_mailbox(std::string_view value) {
  Parser in(value);
  MailboxState mailbox;
  auto& info = mailbox.info;
  info.id = in.number();
  info.account = in.number();
  info.name = in.text();
  info.use = static_cast<SpecialUse>(in.number_up_to(static_cast<std::uint64_t>(SpecialUse::quarantine)));
  info.uidvalidity = static_cast<std::uint32_t>(in.number_up_to(kMax32));
  info.uidnext = static_cast<Uid>(in.number_up_to(kMax32));
  info.highestmodseq = in.number();
  info.messages = in.number();
  info.unseen = in.number();
  info.octets = in.number();
  mailbox.vanished_floor = in.number();
  auto keywords = in.number_up_to(kMaxKeywords);
  for (; keywords > 0; --keywords) mailbox.keywords.push_back(in.text());
  if (!in.done()) return {};
  return mailbox;
}

std::string encode(const IndexRow& row) {
  Writer out;
  out.number(row.entry.flags);
  out.number(row.entry.keywords);
  out.number(row.entry.modseq);
  out.number(row.entry.size);
  out.signed_number(row.entry.internal_date);
  out.number(row.body);
  out.number(static_cast<std::uint64_t>(row.held));
  return out.take();
}

std::optional<IndexRow> decode_index(Uid uid, std::string_view value) {
  Parser in(value);
  IndexRow row;
  row.entry.uid = uid;
  row.entry.flags = static_cast<std::uint8_t>(in.number_up_to(0xff));
  row.entry.keywords = in.number();
  row.entry.modseq = in.number();
  row.entry.size = in.number();
  row.entry.internal_date = in.signed_number();
  row.body = in.number();
  row.held = static_cast<HeldMark>(in.number_up_to(static_cast<std::uint64_t>(HeldMark::outgoing)));
  if (!in.done()) return {};
  return row;
}

std::string encode(const StoredMessage& message) {
  Writer out;
  out.text(message.id);
  out.text(message.header_prefix);
  out.number(message.record_octets);
  out.signed_number(message.saved_date);
  out.signed_number(message.internal_date);
  out.text(message.parts);
  out.text(message.envelope);
  out.number(message.held ? 1 : 0);
  if (message.held) {
    const auto& held = *message.held;
    out.text(held.message_class);
    out.text(held.reason);
    out.fraction(held.score);
    out.text(held.sender);
    out.number((held.released ? kReleased : 0) | (held.notice ? kNotice : 0) | (held.recipient != 0 ? kHasRecipient : 0) |
               (held.outgoing.empty() ? 0 : kOutgoing));
    out.number(held.original_mailbox);
    out.number(held.original_uid);
    if (held.recipient != 0) out.number(held.recipient);
    if (!held.outgoing.empty()) out.text(held.outgoing);
  }
  return out.take();
}

std::optional<StoredMessage> decode_message(std::string_view value) {
  Parser in(value);
  StoredMessage message;
  message.id = in.text();
  message.header_prefix = in.text();
  message.record_octets = in.number();
  message.saved_date = in.signed_number();
  message.internal_date = in.signed_number();
  message.parts = in.text();
  message.envelope = in.text();
  if (in.number_up_to(1) == 1) {
    Held held;
    held.message_class = in.text();
    held.reason = in.text();
    held.score = in.fraction();
    held.sender = in.text();
    auto bits = in.number_up_to(kReleased | kNotice | kHasRecipient | kOutgoing);
    held.released = (bits & kReleased) != 0;
    held.notice = (bits & kNotice) != 0;
    held.original_mailbox = in.number();
    held.original_uid = static_cast<Uid>(in.number_up_to(kMax32));
    if ((bits & kHasRecipient) != 0) held.recipient = in.number();
    if ((bits & kOutgoing) != 0) held.outgoing = in.text();
    message.held = std::move(held);
  }
  if (!in.done()) return {};
  return message;
}

MessageRow joined(MailboxId mailbox, IndexRow index, StoredMessage stored, const std::vector<std::string>& keywords) {
  MessageRow row;
  row.mailbox = mailbox;
  row.uid = index.entry.uid;
  row.id = std::move(stored.id);
  row.body = index.body;
  row.header_prefix = std::move(stored.header_prefix);
  row.record_octets = stored.record_octets;
  row.flags.system = index.entry.flags;
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    if ((index.entry.keywords & (1ULL << i)) != 0) row.flags.keywords.push_back(keywords[i]);
  }
  row.internal_date = Time(std::chrono::microseconds(stored.internal_date));
  row.saved_date = Time(std::chrono::microseconds(stored.saved_date));
  row.modseq = index.entry.modseq;
  row.parts = std::move(stored.parts);
  row.envelope = std::move(stored.envelope);
  row.held = std::move(stored.held);
  return row;
}

StoredMessage stored_part(const MessageRow& row) {
  StoredMessage stored;
  stored.id = row.id;
  stored.header_prefix = row.header_prefix;
  stored.record_octets = row.record_octets;
  stored.saved_date = row.saved_date.time_since_epoch().count();
  stored.internal_date = row.internal_date.time_since_epoch().count();
  stored.parts = row.parts;
  stored.envelope = row.envelope;
  stored.held = row.held;
  return stored;
}

std::string encode(const BodyRow& body) {
  Writer out;
  out.number(body.place.segment);
  out.number(body.place.offset);
  out.number(body.place.length);
  out.number(body.references);
  return out.take();
}

std::optional<BodyRow> decode_body(std::string_view value) {
  Parser in(value);
  BodyRow body;
  body.place.segment = in.number();
  body.place.offset = in.number();
  body.place.length = in.number();
  body.references = in.number();
  if (!in.done()) return {};
  return body;
}

std::string encode(const SegmentRow& segment) {
  Writer out;
  out.number(segment.live);
  out.number(segment.end);
  return out.take();
}

std::optional<SegmentRow> decode_segment(std::string_view value) {
  Parser in(value);
  SegmentRow segment;
  segment.live = in.number();
  segment.end = in.number();
  if (!in.done()) return {};
  return segment;
}

std::string encode(const QueueEntry& entry) {
  Writer out;
  out.text(entry.message_id);
  out.text(entry.destination);
  out.signed_number(entry.arrived.time_since_epoch().count());
  out.signed_number(entry.due.time_since_epoch().count());
  out.number(entry.held ? 1 : 0);
  out.text(entry.header_prefix);
  out.number(entry.body);
  out.number(entry.record_octets);
  out.text(entry.state);
  return out.take();
}

std::optional<QueueEntry> decode_queue(QueueId id, std::string_view value) {
  Parser in(value);
  QueueEntry entry;
  entry.id = id;
  entry.message_id = in.text();
  entry.destination = in.text();
  entry.arrived = Time(std::chrono::microseconds(in.signed_number()));
  entry.due = Time(std::chrono::microseconds(in.signed_number()));
  entry.held = in.number_up_to(1) == 1;
  entry.header_prefix = in.text();
  entry.body = in.number();
  entry.record_octets = in.number();
  entry.state = in.text();
  if (!in.done()) return {};
  return entry;
}

std::string encode(const QueueCounter& counter) {
  Writer out;
  out.number(counter.next);
  return out.take();
}

std::optional<QueueCounter> decode_queue_counter(std::string_view value) {
  Parser in(value);
  QueueCounter counter;
  counter.next = in.number();
  if (!in.done()) return {};
  return counter;
}

std::string encode(const Counters& counters) {
  Writer out;
  out.number(counters.next_account);
  out.number(counters.next_mailbox);
  out.number(counters.next_body);
  out.number(counters.last_uidvalidity);
  return out.take();
}

std::optional<Counters> decode_counters(std::string_view value) {
  Parser in(value);
  Counters counters;
  counters.next_account = in.number();
  counters.next_mailbox = in.number();
  counters.next_body = in.number();
  counters.last_uidvalidity = static_cast<std::uint32_t>(in.number_up_to(kMax32));
  if (!in.done()) return {};
  return counters;
}

std::string encode(mail::SenderWord word) {
  Writer out;
  out.number(static_cast<std::uint64_t>(word));
  return out.take();
}

std::optional<mail::SenderWord> decode_sender(std::string_view value) {
  Parser in(value);
  auto word = in.number_up_to(static_cast<std::uint64_t>(mail::SenderWord::block));
  if (!in.done()) return {};
  return static_cast<mail::SenderWord>(word);
}

std::string encode_uids(const std::vector<Uid>& ascending) {
  Writer out;
  out.number(ascending.size());
  Uid last = 0;
  for (Uid uid : ascending) {
    out.number(uid - last);
    last = uid;
  }
  return out.take();
}

std::optional<std::vector<Uid>> decode_uids(std::string_view value) {
  Parser in(value);
  std::vector<Uid> uids;
  std::uint64_t last = 0;
  for (auto left = in.count(); left > 0 && !in.failed(); --left) {
    auto step = in.number_up_to(kMax32);
    last += step;
    if (step == 0 || last > kMax32) return {};
    uids.push_back(static_cast<Uid>(last));
  }
  if (!in.done()) return {};
  return uids;
}

}  // namespace postern::store
