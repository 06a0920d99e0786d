// Versions of a mailbox's index.
#include "gateway/store/view.h"

#include <algorithm>

#include "gateway/base/check.h"

namespace postern::store {

const Entry& View::at(std::size_t index) const {
  CHECK(index < size());
  auto chunk = std::upper_bound(starts_.begin(), starts_.end(), index) - starts_.begin() - 1;
  auto which = static_cast<std::size_t>(chunk);
  return (*chunks_[which])[index - starts_[which]];
}

std::size_t View::chunk_of(Uid uid) const {
  auto found = std::lower_bound(chunks_.begin(), chunks_.end(), uid,
                                [](const auto& chunk, Uid wanted) { return chunk->back().uid < wanted; });
  return static_cast<std::size_t>(found - chunks_.begin());
}

namespace {
auto entry_at(const View::Chunk& chunk, Uid uid) {
  return std::lower_bound(chunk.begin(), chunk.end(), uid, [](const Entry& entry, Uid wanted) { return entry.uid < wanted; });
}
}  // namespace

std::optional<std::size_t> View::find(Uid uid) const {
  auto which = chunk_of(uid);
  if (which == chunks_.size()) return {};
  const auto& chunk = *chunks_[which];
  auto found = entry_at(chunk, uid);
  if (found == chunk.end() || found->uid != uid) return {};
  return starts_[which] + static_cast<std::size_t>(found - chunk.begin());
}

std::optional<std::vector<Uid>> View::vanished(ModSeq since) const {
  if (since < state_.vanished_floor) return {};
  return gone_.after(since);
}

void View::number_chunks() {
  starts_.clear();
  starts_.reserve(chunks_.size());
  std::size_t start = 0;
  for (const auto& chunk : chunks_) {
    starts_.push_back(start);
    start += chunk->size();
  }
}

std::shared_ptr<const View> View::make(MailboxState state, std::vector<Entry> entries, std::vector<Gone> gone) {
  auto view = std::make_shared<View>();
  view->state_ = std::move(state);
  for (std::size_t at = 0; at < entries.size(); at += kChunk) {
    auto from = entries.begin() + static_cast<std::ptrdiff_t>(at);
    auto to = entries.begin() + static_cast<std::ptrdiff_t>(std::min(entries.size(), at + kChunk));
    view->chunks_.push_back(std::make_shared<const Chunk>(from, to));
  }
  view->gone_ = GoneLog(std::move(gone));
  view->number_chunks();
  return view;
}

// Changes a new version's chunks; copies a chunk the first time that it is touched.
struct View::Editor {
  View& view;
  std::vector<std::shared_ptr<Chunk>> own;   // same index as view.chunks_; null: still shared

  explicit Editor(View& v) : view(v), own(v.chunks_.size()) {}

  Chunk& edit(std::size_t which) {
    if (!own[which]) {
      own[which] = std::make_shared<Chunk>(*view.chunks_[which]);
      view.chunks_[which] = own[which];
    }
    return *own[which];
  }

  void add(const Entry& entry) {
    auto which = view.chunk_of(entry.uid);
    if (which < view.chunks_.size()) {   // a view that was loaded with it, or later: the newer wins
      change(entry);
      return;
    }
    if (view.chunks_.empty() || view.chunks_.back()->size() >= kChunk) {
      own.push_back(std::make_shared<Chunk>());
      own.back()->push_back(entry);
      view.chunks_.push_back(own.back());
      return;
    }
    edit(view.chunks_.size() - 1).push_back(entry);
  }

  void change(const Entry& entry) {
    auto which = view.chunk_of(entry.uid);
    if (which == view.chunks_.size()) return;
    const auto& chunk = *view.chunks_[which];
    auto found = entry_at(chunk, entry.uid);
    if (found == chunk.end() || found->uid != entry.uid || found->modseq >= entry.modseq) return;
    auto index = static_cast<std::size_t>(found - chunk.begin());
    edit(which)[index] = entry;
  }

  void vanish(ModSeq modseq, const std::vector<Uid>& uids) {
    std::size_t next = 0;
    while (next < uids.size()) {
      auto which = view.chunk_of(uids[next]);
      if (which == view.chunks_.size()) break;
      Uid last = view.chunks_[which]->back().uid;
      auto end = next;
      while (end < uids.size() && uids[end] <= last) ++end;
      auto& chunk = edit(which);
      std::erase_if(chunk, [&](const Entry& entry) {
        return std::binary_search(uids.begin() + static_cast<std::ptrdiff_t>(next), uids.begin() + static_cast<std::ptrdiff_t>(end), entry.uid);
      });
      if (chunk.empty()) drop(which);
      else join(which);
      next = end;
    }
    view.gone_.append({.modseq = modseq, .uids = uids});
  }

  void drop(std::size_t which) {
    view.chunks_.erase(view.chunks_.begin() + static_cast<std::ptrdiff_t>(which));
    own.erase(own.begin() + static_cast<std::ptrdiff_t>(which));
  }

  // Two neighbours that fit into one become one, so that expunges leave no long table of scraps.
  void join(std::size_t which) {
    if (which == 0 || view.chunks_[which - 1]->size() + view.chunks_[which]->size() > kChunk / 2) return;
    auto& before = edit(which - 1);
    before.insert(before.end(), view.chunks_[which]->begin(), view.chunks_[which]->end());
    drop(which);
  }
};

std::shared_ptr<const View> View::after(const MailboxEvents& events) const {
  auto next = std::make_shared<View>(*this);
  next->state_ = *events.state;
  Editor editor(*next);
  for (const auto& event : events.events) {
    switch (event.kind) {
      case MailboxEvent::Kind::added: editor.add(event.entry); break;
      case MailboxEvent::Kind::changed: editor.change(event.entry); break;
      case MailboxEvent::Kind::vanished: editor.vanish(event.modseq, event.uids); break;
    }
  }
  next->gone_.forget(next->state_.vanished_floor);
  next->number_chunks();
  return next;
}

}  // namespace postern::store
