#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/store/gone.h"
#include "gateway/store/rows.h"
#include "gateway/store/store.h"

namespace postern::store {

// What a commit did to one mailbox, in order.  Applying an event that a view has already is harmless
// (views are loaded while commits go on), so each carries the modseq that decides.
struct MailboxEvent {
  enum class Kind { added, changed, vanished };
  Kind kind;
  Entry entry;               // added, changed: as it is now
  ModSeq modseq = 0;         // vanished
  std::vector<Uid> uids;     // vanished, ascending
};
struct MailboxEvents {
  std::vector<MailboxEvent> events;
  std::optional<MailboxState> state;   // as it is after them; nothing: the mailbox is gone
};

// An immutable version of a mailbox's index.  Versions share chunks of about kChunk entries, so
// that a delivery into a mailbox of 100,000 copies one chunk and a table of 400 pointers.
class View : public MailboxView {
 public:
  static constexpr std::size_t kChunk = 256;
  using Chunk = std::vector<Entry>;

  const MailboxInfo& info() const override { return state_.info; }
  std::size_t size() const override { return starts_.empty() ? 0 : starts_.back() + chunks_.back()->size(); }
  const Entry& at(std::size_t index) const override;
  std::optional<std::size_t> find(Uid uid) const override;
  const std::vector<std::string>& keywords() const override { return state_.keywords; }
  std::optional<std::vector<Uid>> vanished(ModSeq since) const override;

  // `entries` and `gone` ascending.
  static std::shared_ptr<const View> make(MailboxState state, std::vector<Entry> entries, std::vector<Gone> gone);
  // The next version.  `events.state` has a value.
  std::shared_ptr<const View> after(const MailboxEvents& events) const;

 private:
  struct Editor;
  void number_chunks();
  std::size_t chunk_of(Uid uid) const;   // the chunk in which it lies or belongs; chunks_.size() if behind all

  MailboxState state_;
  std::vector<std::shared_ptr<const Chunk>> chunks_;   // none empty
  std::vector<std::size_t> starts_;                    // index of each chunk's first entry
  GoneLog gone_;
};

}  // namespace postern::store
