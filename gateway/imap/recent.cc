// \Recent without a row on disk.
#include "gateway/imap/recent.h"

namespace postern::imap {

store::Uid Recent::first_recent(const store::MailboxView& view, bool claim) {
  store::Uid after_last = view.size() == 0 ? 1 : view.at(view.size() - 1).uid + 1;
  std::lock_guard lock(mutex_);
  auto found = next_.find(view.info().id);
  store::Uid first = 0;
  if (found != next_.end()) {
    first = found->second;
  } else {
    std::size_t index = view.size();
    while (index > 0 && view.at(index - 1).internal_date >= started_) --index;
    first = index == view.size() ? after_last : view.at(index).uid;
  }
  if (claim || found == next_.end()) next_[view.info().id] = claim ? std::max(first, after_last) : first;
  return first;
}

void Recent::forget(store::MailboxId mailbox) {
  std::lock_guard lock(mutex_);
  next_.erase(mailbox);
}

std::uint32_t Recent::count(const store::MailboxView& view) {
  auto first = first_recent(view, false);
  std::size_t index = view.size();
  while (index > 0 && view.at(index - 1).uid >= first) --index;
  return static_cast<std::uint32_t>(view.size() - index);
}

}  // namespace postern::imap
