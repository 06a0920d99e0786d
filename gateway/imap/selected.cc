// The selected mailbox and the way from one version of it to the next.  RFC 3501 2.3.1.2, 5.2, 7.4.1.
#include "gateway/imap/selected.h"

#include <algorithm>


namespace postern::imap {

using store::Uid;

namespace {

// Index of the first entry with at least that uid.
std::size_t lower_bound(const store::MailboxView& view, Uid uid) {
  std::size_t low = 0;
  std::size_t high = view.size();
  while (low < high) {
    auto middle = low + (high - low) / 2;
    if (view.at(middle).uid < uid) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Selected::Selected(std::unique_ptr<store::MailboxWatch> watch, std::shared_ptr<const store::MailboxView> view, bool read_only, Recent& recent)
    : watch_(std::move(watch)), view_(std::move(view)), read_only_(read_only), recent_registry_(recent) {
  Uid first = recent_registry_.first_recent(*view_, !read_only_);
  if (view_->size() > 0 && view_->at(view_->size() - 1).uid >= first) recent_.emplace_back(first, view_->at(view_->size() - 1).uid + 1);
}

std::size_t Selected::index_from(Uid uid) const { return lower_bound(*view_, uid); }

std::uint32_t Selected::recent() const {
  std::size_t count = 0;
  for (auto [first, behind] : recent_) count += index_from(behind) - index_from(first);
  return static_cast<std::uint32_t>(count);
}

bool Selected::is_recent(Uid uid) const {
  return std::any_of(recent_.begin(), recent_.end(), [uid](auto range) { return uid >= range.first && uid < range.second; });
}

std::uint32_t Selected::sequence_at(std::size_t index) const {
  auto before = std::lower_bound(ghosts_.begin(), ghosts_.end(), view_->at(index).uid) - ghosts_.begin();
  return static_cast<std::uint32_t>(index + 1 + static_cast<std::size_t>(before));
}

std::size_t Selected::Messages::count() const {
  std::size_t sum = 0;
  for (auto range : ranges) sum += range.end - range.begin;
  return sum;
}

Result<Selected::Messages> Selected::find(const SequenceSet& set, bool uid) const {
  if (!uid && (set.largest() > exists() || (set.has_last() && exists() == 0))) {
    return Error("there is no message with such a number");
  }
  return find_lenient(set, uid);
}

Selected::Messages Selected::find_lenient(const SequenceSet& set, bool uid) const {
  Messages out;
  auto add = [&out](std::size_t begin, std::size_t end) {
    if (begin < end) out.ranges.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  };
  if (uid) {
    Uid last = view_->size() == 0 ? 0 : view_->at(view_->size() - 1).uid;
    if (!ghosts_.empty()) last = std::max(last, ghosts_.back());
    for (auto [first, until] : set.resolved(last)) {
      add(index_from(first), until == UINT32_MAX ? view_->size() : index_from(until + 1));
      auto ghost = std::lower_bound(ghosts_.begin(), ghosts_.end(), first);
      if (ghost != ghosts_.end() && *ghost <= until) out.some_are_gone = true;
    }
    return out;
  }
  // The client's numbering with the ghosts taken out is the view's.
  std::vector<std::uint32_t> ghost_numbers;
  ghost_numbers.reserve(ghosts_.size());
  for (std::size_t i = 0; i < ghosts_.size(); ++i) {
    ghost_numbers.push_back(static_cast<std::uint32_t>(index_from(ghosts_[i]) + i + 1));
  }
  auto ghosts_below = [&ghost_numbers](std::uint64_t number) {
    return static_cast<std::size_t>(std::lower_bound(ghost_numbers.begin(), ghost_numbers.end(), number) - ghost_numbers.begin());
  };
  for (auto [first, until] : set.resolved(exists())) {
    if (first > exists()) continue;
    std::uint64_t behind = std::min(until, exists()) + 1ULL;
    auto ghosts_before = ghosts_below(first);
    auto ghosts_until = ghosts_below(behind);
    if (ghosts_until > ghosts_before) out.some_are_gone = true;
    add(first - 1 - ghosts_before, behind - 1 - ghosts_until);
  }
  return out;
}

std::vector<Uid> Selected::uids(const Messages& messages) const {
  std::vector<Uid> out;
  out.reserve(messages.count());
  for (auto range : messages.ranges) {
    for (auto i = range.begin; i < range.end; ++i) out.push_back(view_->at(i).uid);
  }
  return out;
}

std::vector<std::string> Selected::latest_keywords() const {
  auto latest = watch_->latest();
  return latest ? latest->keywords() : view_->keywords();
}

bool Selected::client_knows(const store::Entry& before, const store::Entry& now) const {
  auto known = believed_.find(now.uid);
  if (known != believed_.end()) return known->second == KnownFlags(now.flags, now.keywords);
  return before.flags == now.flags && before.keywords == now.keywords;
}

// One walk over both versions, which are sorted by uid.
void Selected::compare(const store::MailboxView& next, const std::vector<Uid>& report, Changes& changes) {
  auto reported = [&report, at = report.begin()](Uid uid) mutable {
    while (at != report.end() && *at < uid) ++at;
    return at != report.end() && *at == uid;
  };
  std::vector<Uid> gone;
  std::size_t j = 0;
  for (std::size_t i = 0; i < view_->size(); ++i) {
    const auto& before = view_->at(i);
    while (j < next.size() && next.at(j).uid < before.uid) ++j;
    if (j == next.size() || next.at(j).uid != before.uid) {
      gone.push_back(before.uid);
      continue;
    }
    const auto& now = next.at(j);
    if (reported(now.uid) || !client_knows(before, now)) changes.changed.push_back(static_cast<std::uint32_t>(j));
    ++j;
  }
  if (gone.empty()) return;
  std::vector<Uid> merged;
  std::merge(ghosts_.begin(), ghosts_.end(), gone.begin(), gone.end(), std::back_inserter(merged));
  ghosts_ = std::move(merged);
}

Changes Selected::advance(bool expunge, const std::vector<Uid>& report) {
  Changes changes;
  auto next = watch_->latest();
  if (next == nullptr) next = view_;  // removed on another thread just now; is_gone() will say so
  if (next != view_ || !report.empty()) {
    Uid known_last = view_->size() == 0 ? 0 : view_->at(view_->size() - 1).uid;
    if (!ghosts_.empty()) known_last = std::max(known_last, ghosts_.back());
    compare(*next, report, changes);
    changes.keywords = next->keywords().size() != view_->keywords().size();
    view_ = std::move(next);
    Uid last = view_->size() == 0 ? 0 : view_->at(view_->size() - 1).uid;
    if (last > known_last) {
      changes.grown = true;
      // RFC 3501 2.3.2: the first session that is told of a message has it as recent.
      Uid first = std::max(recent_registry_.first_recent(*view_, !read_only_), known_last + 1);
      if (first <= last) recent_.emplace_back(first, last + 1);
      if (recent_.size() > 1 && recent_[recent_.size() - 2].second == first) {
        recent_[recent_.size() - 2].second = last + 1;
        recent_.pop_back();
      }
    }
  }
  believed_.clear();
  if (expunge && !ghosts_.empty()) {
    for (std::size_t i = ghosts_.size(); i > 0; --i) {
      changes.expunged.push_back(static_cast<std::uint32_t>(index_from(ghosts_[i - 1]) + i));
    }
    ghosts_ = {};
  }
  return changes;
}

}  // namespace postern::imap
