#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"

// The values that the store takes and gives.  All plain; none holds a handle into the store.
namespace postern::store {

using AccountId = std::uint64_t;
using MailboxId = std::uint64_t;   // RFC 8474: never given twice, survives RENAME
using BodyId = std::uint64_t;
using QueueId = std::uint64_t;     // ascending in the order of arrival; never given twice, whatever was removed meanwhile
using Uid = std::uint32_t;         // RFC 3501 2.3.1.1
using ModSeq = std::uint64_t;      // RFC 7162

enum class SpecialUse : std::uint8_t { none, inbox, drafts, sent, junk, trash, archive, quarantine };
std::string_view attribute(SpecialUse use);   // "\\Junk"; "" for none, inbox and quarantine

// System flags, RFC 3501 2.3.2.  \Recent is not stored.
namespace flag {
inline constexpr std::uint8_t seen = 1, answered = 2, flagged = 4, deleted = 8, draft = 16;
}

struct Flags {
  std::uint8_t system = 0;
  std::vector<std::string> keywords;   // as the client spelled them; compared case-blind
};

struct Account {
  AccountId id = 0;
  std::string address;          // "user@example.test", lower case; the login name
  std::string password_row;     // opaque to the store: directory/passwords writes and reads it
  bool admin = false;
  std::vector<std::string> groups;
  Time created{};
  std::string deliver;          // opaque to the store: "" as the domain says, "mailboxes", "smtp://HOST:PORT,..."
};

struct MailboxInfo {
  MailboxId id = 0;
  AccountId account = 0;
  std::string name;             // UTF-8, '/' between levels, "INBOX" in capitals
  SpecialUse use = SpecialUse::none;
  bool subscribed = false;
  std::uint32_t uidvalidity = 0;
  Uid uidnext = 1;
  ModSeq highestmodseq = 1;
  std::uint64_t messages = 0;
  std::uint64_t unseen = 0;
  std::uint64_t octets = 0;
};

// Why a copy lies in a quarantine.  "Held" belongs to the message and travels with it through Trash.
struct Held {
  std::string message_class;    // "spam", "virus", "policy"
  std::string reason;           // one line for humans
  double score = 0;
  std::string sender;           // envelope sender
  bool released = false;        // a COPY released it; expunging the row means nothing any more
  bool notice = false;          // class virus: this message is the notice, original_* say what for
  MailboxId original_mailbox = 0;   // the administrators' mailbox
  Uid original_uid = 0;
  // Of a message of the user's own that was held on its way out: to whom it goes when an administrator lets it go.
  // Delivery's; "" of all others.
  std::string outgoing;
  AccountId recipient = 0;      // class virus, of an original: whose copy it is; 0 in old rows, where one served all notices
};

// A message row.  Octets of the message = header_prefix + body record.
struct MessageRow {
  MailboxId mailbox = 0;
  Uid uid = 0;
  std::string id;               // ours, as in X-Postern-Verdict; "" for an APPEND
  BodyId body = 0;
  std::string header_prefix;    // this recipient's own fields, each with CRLF
  std::uint64_t record_octets = 0;
  Flags flags;
  Time internal_date{};
  Time saved_date{};            // RFC 8514
  ModSeq modseq = 0;
  std::string parts;            // mail::PartTable, serialised; offsets from the record's begin
  std::string envelope;         // mail::Envelope, serialised
  std::optional<Held> held;

  std::uint64_t size() const { return header_prefix.size() + record_octets; }
};

// One line of a mailbox's index.
struct Entry {
  Uid uid = 0;
  std::uint8_t flags = 0;       // flag::*
  std::uint64_t keywords = 0;   // bits into MailboxView::keywords()
  ModSeq modseq = 0;
  std::uint64_t size = 0;       // MessageRow::size()
  std::int64_t internal_date = 0;   // unix seconds
};

// Where one copy is to go.
struct Target {
  AccountId account = 0;
  std::string mailbox;          // name; made (with its parents) if it is not there
  SpecialUse use = SpecialUse::none;   // if not none: the account's mailbox of that use, `mailbox` ignored
  std::string header_prefix;
  Flags flags;
  std::optional<Held> held;
  int notice_of = -1;           // >= 0: held.original_* are filled in from that item's target `notice_of_target`
  std::size_t notice_of_target = 0;
};

// An entry of the outgoing queue: a message for one destination.  Octets of the message = header_prefix + body
// record.  `destination` and `state` are delivery's: the store keeps them and reads neither.
struct QueueEntry {
  QueueId id = 0;
  std::string message_id;       // ours, as Item::id
  std::string destination;      // the queue it stands in: a domain, a route
  Time arrived{};               // when it was committed
  Time due{};                   // the next attempt
  bool held = false;            // by the operator
  std::string header_prefix;
  BodyId body = 0;
  std::uint64_t record_octets = 0;
  std::string state;            // the envelope, and how far each recipient has come

  std::uint64_t size() const { return header_prefix.size() + record_octets; }
};

// Where one message goes on to.  The entry refers to the item's body as a target's copy does.
struct Onward {
  std::string destination;
  Time due{};                   // 0: now
  std::string header_prefix;
  std::string state;
};

// What becomes of an entry.  A field without value stays as it is, so that who counts attempts does not undo
// what the operator holds.  An entry that is gone is told in Delivered::gone and changes nothing else, unless it
// is required.
struct QueueChange {
  QueueId id = 0;
  bool remove = false;          // gives up the reference to the body; the fields below mean nothing
  std::optional<Time> due;
  std::optional<bool> held;
  std::optional<std::string> state;
  bool required = false;        // gone: the whole delivery is refused with Outcome::cannot
};

// One body, the copies of it and the entries that send it on.  An item with neither stores nothing.
struct Item {
  std::string id;
  std::vector<Octets> pieces;   // the record is their concatenation
  std::string parts;
  std::string envelope;
  Time internal_date{};         // 0: now
  std::vector<Target> targets;
  std::vector<Onward> onward;
};

// A row of the general space (counters, rule memory, lists, trace); no value: erase.
struct Row {
  std::string key;              // below 2 KB, begins with the owner's prefix and ':', e.g. "rule:"
  std::optional<std::string> value;
};

// Everything of a delivery is durable together or not at all.  One without copies, entries and values of rows needs
// no space: it passes on a full disk, so that the queue can drain.
struct Delivery {
  std::vector<Item> items;
  std::vector<Row> rows;
  std::vector<QueueChange> queue;   // each entry at most once; some hundreds, more in several deliveries
};

struct Placed {
  MailboxId mailbox = 0;
  std::uint32_t uidvalidity = 0;
  Uid uid = 0;
};

// How a change ended; IMAP turns it into its response code.
enum class Outcome {
  done,
  no_mailbox,      // [TRYCREATE] or [NONEXISTENT]
  exists,          // [ALREADYEXISTS]
  cannot,          // [CANNOT]: e.g. Quarantine -> Sent, delete of INBOX
  noperm,          // [NOPERM]: a virus notice
  over_quota,      // [OVERQUOTA]
  no_space,        // disk full: 452 4.3.1, [UNAVAILABLE]
  broken           // write or fsync failed: 452, [UNAVAILABLE]
};

struct Change {
  Outcome outcome = Outcome::done;
  std::string text;             // a sentence, when not done
  bool ok() const { return outcome == Outcome::done; }
};

struct Delivered : Change {
  std::vector<std::vector<Placed>> placed;   // per item, per target
  std::vector<std::vector<QueueId>> queued;  // per item, per onward
  std::vector<QueueId> gone;                 // of Delivery::queue, also when that is why it was refused
};

struct Copied : Change {
  std::uint32_t uidvalidity = 0;             // of where they landed
  bool elsewhere = false;                    // that is another mailbox than the one that was named
  std::vector<std::pair<Uid, Uid>> uids;     // source, new; ascending; sources that are gone are left out
};

struct FlagsChanged : Change {
  std::vector<Uid> changed;
  std::vector<Uid> modified;                 // refused by UNCHANGEDSINCE, RFC 7162 3.1.3
  ModSeq modseq = 0;
};

struct Expunged : Change {
  std::vector<Uid> uids;
  ModSeq modseq = 0;
};

struct Created : Change {
  MailboxInfo mailbox;
};

enum class FlagOperation { replace, add, remove };

}  // namespace postern::store
