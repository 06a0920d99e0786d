#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/imap/recent.h"
#include "gateway/imap/sequence_set.h"
#include "gateway/store/store.h"

namespace postern::imap {

// What a session has to tell its client after the mailbox changed.
struct Changes {
  std::vector<std::uint32_t> expunged;      // sequence numbers, descending: each is right when sent in this order
  bool keywords = false;                    // FLAGS must be sent before a FETCH names a new keyword
  bool grown = false;                       // EXISTS and RECENT
  std::vector<std::uint32_t> changed;       // indices of the view whose flags the client does not know
  bool empty() const { return expunged.empty() && !keywords && !grown && changed.empty(); }
};

// The mailbox that a session has selected, as its client believes it to be.
//
// Sequence numbers may only change where RFC 3501 7.4.1 allows EXPUNGE.  So the view may run ahead of the client:
// uids that it no longer holds but that still have a sequence number are "ghosts".
class Selected {
 public:
  // `view` is a version of the watch; `recent` must outlive the object.
  Selected(std::unique_ptr<store::MailboxWatch> watch, std::shared_ptr<const store::MailboxView> view, bool read_only, Recent& recent);

  const store::MailboxView& view() const { return *view_; }
  store::MailboxId id() const { return view_->info().id; }
  bool read_only() const { return read_only_; }
  io::Signal& changed() { return watch_->changed(); }

  // Messages as the client counts them.
  std::uint32_t exists() const { return static_cast<std::uint32_t>(view_->size() + ghosts_.size()); }
  std::uint32_t recent() const;
  bool is_recent(store::Uid uid) const;
  std::uint32_t sequence_at(std::size_t index) const;

  struct Range {
    std::uint32_t begin = 0;   // indices of view(); valid until the next advance()
    std::uint32_t end = 0;
  };
  struct Messages {
    std::vector<Range> ranges;
    bool some_are_gone = false;   // a number names a message that was expunged meanwhile
    std::size_t count() const;
  };
  // An Error: a sequence number that does not exist.  Unknown uids are no error, RFC 3501 6.4.8.
  Result<Messages> find(const SequenceSet& set, bool uid) const;
  // The same for SEARCH, where numbers beyond the end match nothing.
  Messages find_lenient(const SequenceSet& set, bool uid) const;
  std::vector<store::Uid> uids(const Messages& messages) const;

  // The client knows (or was just told, or can tell by itself) that the message has these flags.
  void believes(store::Uid uid, std::uint8_t flags, std::uint64_t keywords) { believed_[uid] = {flags, keywords}; }

  // Is there a version that the client was not told of?
  bool is_stale() const { return !ghosts_.empty() || watch_->latest() != view_; }
  // Of the newest version.
  std::vector<std::string> latest_keywords() const;
  // The mailbox was removed.
  bool is_gone() const { return watch_->latest() == nullptr; }
  // Goes on to the newest version; of a mailbox that is gone, stays.  Flags of `report` (ascending uids) are told even
  // if unchanged.
  Changes advance(bool expunge, const std::vector<store::Uid>& report);

 private:
  using KnownFlags = std::pair<std::uint8_t, std::uint64_t>;
  void compare(const store::MailboxView& next, const std::vector<store::Uid>& report, Changes& changes);
  bool client_knows(const store::Entry& before, const store::Entry& now) const;
  std::size_t index_from(store::Uid uid) const;

  std::unique_ptr<store::MailboxWatch> watch_;
  std::shared_ptr<const store::MailboxView> view_;
  bool read_only_;
  Recent& recent_registry_;
  std::vector<std::pair<store::Uid, store::Uid>> recent_;   // [first, behind)
  std::vector<store::Uid> ghosts_;                          // ascending
  std::unordered_map<store::Uid, KnownFlags> believed_;     // since the last advance()
};

}  // namespace postern::imap
