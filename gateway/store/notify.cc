// Who watches which mailbox.
#include "gateway/store/notify.h"

#include <algorithm>

namespace postern::store {
namespace {

// Lives as long as the watch or a notice on its way, whichever is longer.
struct Watcher {
  explicit Watcher(io::Loop& home) : loop(home) {}
  io::Loop& loop;
  io::Signal signal;                  // the loop's thread only
  std::atomic<bool> alive = true;     // a watch that nobody took dies on a worker
  std::atomic<bool> posted = false;   // a notice is on its way: one is enough for many versions
};

void notify(const std::shared_ptr<Watcher>& watcher) {
  if (watcher->posted.exchange(true)) return;
  watcher->loop.post([watcher] {
    watcher->posted = false;
    if (watcher->alive) watcher->signal.notify();
  });
}

}  // namespace

struct Watches::Watched {
  std::mutex loading;   // held while the view is read
  std::mutex mutex;     // guards all below
  bool loaded = false;
  bool gone = false;
  std::shared_ptr<const View> view;
  std::vector<MailboxEvents> waiting;   // came while the view was being read
  std::vector<std::shared_ptr<Watcher>> watchers;
};

class Watches::Watch : public MailboxWatch {
 public:
  Watch(std::shared_ptr<Watched> watched, io::Loop& loop) : watched_(std::move(watched)), watcher_(std::make_shared<Watcher>(loop)) {
    std::lock_guard lock(watched_->mutex);
    watched_->watchers.push_back(watcher_);
  }
  ~Watch() override {
    watcher_->alive = false;
    std::lock_guard lock(watched_->mutex);
    std::erase(watched_->watchers, watcher_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::shared_ptr<const MailboxView> latest() const override {
    std::lock_guard lock(watched_->mutex);
    return watched_->gone ? nullptr : watched_->view;
  }
  io::Signal& changed() override { return watcher_->signal; }

 private:
  std::shared_ptr<Watched> watched_;
  std::shared_ptr<Watcher> watcher_;
};

namespace {

constexpr std::size_t kPage = 8192;

// The view as the rows are at this moment; nullptr: no such mailbox.
Result<std::shared_ptr<const View>> load(MailboxId mailbox, const Kv& kv) {
  auto rows = kv.snapshot();
  using Reach = KvReader::Reach;
  auto state_row = rows->get(std::vector<std::string>{mailbox_key(mailbox)}, Reach::disk);
  if (!state_row.ok()) return Error(state_row.error);
  if (!state_row.value[0]) return std::shared_ptr<const View>();
  auto state = decode_mailbox(*state_row.value[0]);
  if (!state) return Error("the row of mailbox " + std::to_string(mailbox) + " is damaged");
  std::vector<Entry> entries;
  entries.reserve(state->info.messages);
  auto each_page = [&](char letter, auto take) -> Status {
    auto from = prefix_of(letter, mailbox);
    const auto to = prefix_of(letter, mailbox + 1);
    for (;;) {
      auto page = rows->scan(from, to, kPage, Reach::disk);
      if (!page.ok()) return Error(page.error);
      for (const auto& row : page.value) {
        if (!take(row)) return Error("a row of mailbox " + std::to_string(mailbox) + " is damaged");
      }
      if (page.value.size() < kPage) return {};
      from = page.value.back().key + '\0';
    }
  };
  auto read = each_page('i', [&](const KvRow& row) {
    auto index = decode_index(static_cast<Uid>(second_number(row.key, 4)), row.value);
    if (index) entries.push_back(index->entry);
    return index.has_value();
  });
  if (!read) return read.error();
  std::vector<Gone> gone;
  read = each_page('c', [&](const KvRow& row) {
    auto uids = decode_uids(row.value);
    if (uids) gone.push_back({.modseq = second_number(row.key, 8), .uids = std::move(*uids)});
    return uids.has_value();
  });
  if (!read) return read.error();
  return View::make(std::move(*state), std::move(entries), std::move(gone));
}

}  // namespace

std::shared_ptr<Watches::Watched> Watches::find_or_add(MailboxId mailbox) {
  std::lock_guard lock(mutex_);
  auto& slot = watched_[mailbox];
  auto watched = slot.lock();
  if (!watched) {
    watched = std::make_shared<Watched>();
    slot = watched;
  }
  return watched;
}

Result<std::unique_ptr<MailboxWatch>> Watches::watch(MailboxId mailbox, const Kv& rows, io::Loop& loop) {
  // From here on publish() leaves events for it, so that none falls between snapshot and view.
  auto watched = find_or_add(mailbox);
  std::lock_guard loading(watched->loading);
  bool loaded = false;
  {
    std::lock_guard lock(watched->mutex);
    loaded = watched->loaded;
  }
  if (!loaded) {
    auto view = load(mailbox, rows);
    if (!view) return view.error();
    std::lock_guard lock(watched->mutex);
    auto waiting = std::exchange(watched->waiting, {});
    if (!*view || watched->gone) return std::unique_ptr<MailboxWatch>();
    watched->view = *view;
    for (const auto& events : waiting) {
      // A version older than what was loaded: its events are in it, its counts are not to come back.
      if (events.state->info.highestmodseq < watched->view->info().highestmodseq) continue;
      watched->view = watched->view->after(events);
    }
    watched->loaded = true;
  }
  return std::unique_ptr<MailboxWatch>(std::make_unique<Watch>(std::move(watched), loop));
}

std::unique_ptr<MailboxWatch> Watches::watch_loaded(MailboxId mailbox, io::Loop& loop) {
  std::shared_ptr<Watched> watched;
  {
    std::lock_guard lock(mutex_);
    auto found = watched_.find(mailbox);
    if (found != watched_.end()) watched = found->second.lock();
  }
  if (!watched) return nullptr;
  {
    std::lock_guard lock(watched->mutex);
    if (!watched->loaded || watched->gone) return nullptr;
  }
  return std::make_unique<Watch>(std::move(watched), loop);
}

Status Watches::reload(const Kv& rows) {
  std::vector<std::pair<MailboxId, std::shared_ptr<Watched>>> watched_now;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [mailbox, slot] : watched_) {
      if (auto watched = slot.lock()) watched_now.emplace_back(mailbox, std::move(watched));
    }
  }
  for (const auto& [mailbox, watched] : watched_now) {
    std::lock_guard loading(watched->loading);
    {
      std::lock_guard lock(watched->mutex);
      if (!watched->loaded || watched->gone) continue;   // who loads it later reads these rows
    }
    auto view = load(mailbox, rows);
    if (!view) return view.error();
    std::lock_guard lock(watched->mutex);
    watched->gone = *view == nullptr;
    watched->view = std::move(*view);
    for (const auto& watcher : watched->watchers) notify(watcher);
  }
  return {};
}

void Watches::publish(std::unordered_map<MailboxId, MailboxEvents>& events) {
  for (auto& [mailbox, changes] : events) {
    std::shared_ptr<Watched> watched;
    {
      std::lock_guard lock(mutex_);
      auto found = watched_.find(mailbox);
      if (found == watched_.end()) continue;
      watched = found->second.lock();
      if (!watched) {
        watched_.erase(found);
        continue;
      }
    }
    std::lock_guard lock(watched->mutex);
    if (!changes.state) {
      watched->gone = true;
      watched->view.reset();
    } else if (watched->loaded) {
      watched->view = watched->view->after(changes);
    } else {
      watched->waiting.push_back(std::move(changes));
    }
    for (const auto& watcher : watched->watchers) notify(watcher);
  }
}

}  // namespace postern::store
