#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mail/sender_list.h"
#include "gateway/store/types.h"

// The rows of the store: their keys and how their values are written.  A key is a letter and
// big-endian numbers, so that rows lie in the order of their numbers; a value is a version octet,
// then numbers as LEB128 and strings with their length before them.
//
//   #format, #counters, #queue   one each
//   a<account>                account
//   u<account><name>          subscription, no value
//   w<account><sender>        whom the user wants to hear, or not
//   x<mailbox>                mailbox
//   i<mailbox><uid>           index: what changes or is listed often
//   m<mailbox><uid>           message: the rest of it
//   c<mailbox><modseq>        uids expunged with that modseq
//   d<mailbox>                a removed mailbox whose messages are still being swept
//   b<body>                   body: place and number of references
//   s<segment>                segment: live octets and the end of what body rows name
//   q<entry>                  entry of the outgoing queue
//   g<key>                    general rows (Store::write)
namespace postern::store {

// A place of a record in a segment.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;   // of the record's header
  std::uint64_t length = 0;   // of its octets, without the header
  bool operator==(const Place&) const = default;
};

struct BodyRow {
  Place place;
  std::uint64_t references = 0;
};

struct SegmentRow {
  std::uint64_t live = 0;   // octets of records that body rows name, headers included
  std::uint64_t end = 0;    // behind the last record that a body row named
};

inline bool is_sparse(const SegmentRow& segment) { return segment.live < segment.end / 2; }

struct Counters {
  AccountId next_account = 1;
  MailboxId next_mailbox = 1;
  BodyId next_body = 1;
  std::uint32_t last_uidvalidity = 0;
};

// A row of its own and no field of Counters: see kFormat.
struct QueueCounter {
  QueueId next = 1;
};

// What the store keeps of a mailbox in memory, and in its row.
struct MailboxState {
  MailboxInfo info;                    // `subscribed` is filled in when it is given out
  std::vector<std::string> keywords;   // at most kMaxKeywords
  ModSeq vanished_floor = 0;           // expunges up to here are forgotten
};
inline constexpr std::size_t kMaxKeywords = 64;

// What StoredMessage::held says, in short.
enum class HeldMark : std::uint8_t { none, held, released, notice };
HeldMark mark_of(const std::optional<Held>& held);

struct IndexRow {
  Entry entry;
  BodyId body = 0;
  HeldMark held = HeldMark::none;
};

// The message row's own part; flags, modseq and dates come from the index row.
struct StoredMessage {
  std::string id;
  std::string header_prefix;
  std::uint64_t record_octets = 0;
  std::int64_t saved_date = 0;   // microseconds since 1970, as internal_date
  std::int64_t internal_date = 0;
  std::string parts;
  std::string envelope;
  std::optional<Held> held;
};

inline constexpr std::string_view kFormatKey = "#format";
// The queue's rows did not raise it.  A program that does not know them neither reads nor writes q and #queue and keeps
// each body that counts a reference: it sends nothing, loses nothing, and a later one finds the queue as it was.  Only
// its check calls those references too many.  Nor did the rows w: without them nobody is on a list.
inline constexpr std::string_view kFormat = "postern store 2";
inline constexpr std::string_view kCountersKey = "#counters";
inline constexpr std::string_view kQueueCounterKey = "#queue";

std::string account_key(AccountId id);
std::string subscription_key(AccountId id, std::string_view name);
std::string sender_key(AccountId id, std::string_view sender);
std::string mailbox_key(MailboxId id);
std::string index_key(MailboxId id, Uid uid);
std::string message_key(MailboxId id, Uid uid);
std::string vanished_key(MailboxId id, ModSeq modseq);
std::string doomed_key(MailboxId id);
std::string body_key(BodyId id);
std::string segment_key(std::uint64_t segment);
std::string queue_key(QueueId id);
std::string general_key(std::string_view key);
// The prefix of all rows with `letter` for the number.
std::string prefix_of(char letter, std::uint64_t number);

// The first number of a key, and the second with `second_octets` octets; 0 if the key is too short.
std::uint64_t first_number(std::string_view key);
std::uint64_t second_number(std::string_view key, std::size_t second_octets);

// Each decode gives nothing for a value that it would not have written.
std::string encode(const Account& account);
std::string encode(const MailboxState& mailbox);
std::string encode(const IndexRow& row);
std::string encode(const StoredMessage& message);
std::string encode(const BodyRow& body);
std::string encode(const SegmentRow& segment);
std::string encode(const QueueEntry& entry);
std::string encode(const Counters& counters);
std::string encode(const QueueCounter& counter);
std::string encode(mail::SenderWord word);
std::string encode_uids(const std::vector<Uid>& ascending);

std::optional<Account> decode_account(std::string_view value);
std::optional<MailboxState> decode_mailbox(std::string_view value);
std::optional<IndexRow> decode_index(Uid uid, std::string_view value);
std::optional<StoredMessage> decode_message(std::string_view value);
std::optional<BodyRow> decode_body(std::string_view value);
std::optional<SegmentRow> decode_segment(std::string_view value);
std::optional<QueueEntry> decode_queue(QueueId id, std::string_view value);
std::optional<Counters> decode_counters(std::string_view value);
std::optional<QueueCounter> decode_queue_counter(std::string_view value);
std::optional<mail::SenderWord> decode_sender(std::string_view value);
std::optional<std::vector<Uid>> decode_uids(std::string_view value);

}  // namespace postern::store
