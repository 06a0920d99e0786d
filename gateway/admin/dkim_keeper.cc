// DKIM keys over the months: published, used, rotated, forgotten.
#include "gateway/admin/dkim_keeper.h"

#include <algorithm>
#include <memory>

#include "gateway/admin/dkim_sight.h"
#include "gateway/base/log.h"
#include "gateway/delivery/notice.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"

namespace postern::admin {
namespace {

using namespace std::chrono_literals;
using signing::Key;
using signing::Keys;

constexpr auto kRound = 1min;
constexpr auto kWhileWaiting = 5min;
constexpr auto kElse = 1h;
constexpr auto kPatience = 30s;   // with DNS

void log_change(const Key& key) {
  log::info("dkim.key", {{"domain", key.domain}, {"selector", key.selector}, {"state", std::string(name(key.state))}, {"problem", key.problem}});
}

}  // namespace

io::Task<Status> look_for_keys(store::Store& store, signing::KeyRing& ring, dns::Resolver& resolver, Keys keys, Time now, Mail mail,
                               Deadline deadline) {
  std::vector<io::Task<signing::Sight>> looks;
  for (const auto& key : keys) looks.push_back(look_for_key(resolver, key, deadline));
  std::vector<signing::Sight> sights = co_await io::together(std::move(looks));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto all = ring.keys();
    // Removed, or made anew, while DNS was asked.
    const auto* still = find(*all, keys[i].domain, keys[i].selector);
    if (still == nullptr || still->public_text != keys[i].public_text) continue;
    auto changes = after_look(*all, *still, sights[i], now);
    if (changes.empty()) continue;
    for (const auto& key : changes.put) log_change(key);
    auto changed = co_await ring.change(store, std::move(changes.put), std::move(changes.erase), mail(changes.notes));
    if (!changed) co_return changed;
  }
  co_return Status();
}

io::Task<void> DkimKeeper::run() {
  for (;;) {
    co_await round(Clock::system().now(), in(0s));
    co_await io::sleep_until(in(kRound));
  }
}

io::Task<void> DkimKeeper::round(Time now, Deadline steady) {
  auto all = parts_.keys.keys();
  co_await apply(after_time(*all, parts_.config.dkim, now));
  co_await rotate(now);
  Keys due;
  all = parts_.keys.keys();
  std::map<std::string, Deadline, std::less<>> next;
  for (const auto& key : *all) {
    auto name = key.record_name();
    auto known = next_look_.find(name);
    auto when = known == next_look_.end() ? steady : known->second;
    if (when <= steady && is_ours(key.domain)) {
      due.push_back(key);
      when = steady + (key.state == signing::State::waiting ? std::chrono::steady_clock::duration(kWhileWaiting) : kElse);
    }
    next.emplace(std::move(name), when);
  }
  next_look_ = std::move(next);
  if (due.empty()) co_return;
  auto resolver = parts_.resolver();
  Mail writer = [this](const std::vector<signing::Note>& notes) { return mail(notes); };
  auto looked = co_await look_for_keys(parts_.store, parts_.keys, *resolver, std::move(due), now, std::move(writer), in(kPatience));
  if (!looked) log::error("dkim.keys", {{"what", looked.error().text}});
}

bool DkimKeeper::is_ours(const std::string& domain) const { return domain == parts_.config.hostname || parts_.directory.is_ours(domain); }

// One note for each domain; its keys have grown old together.
io::Task<void> DkimKeeper::rotate(Time now) {
  auto old = due_for_rotation(*parts_.keys.keys(), parts_.config.dkim, now);
  std::erase_if(old, [this](const Key& key) { return !is_ours(key.domain); });
  for (std::size_t i = 0; i < old.size();) {
    signing::Changes changes;
    auto domain = old[i].domain;
    for (; i < old.size() && old[i].domain == domain; ++i) {
      auto all = parts_.keys.keys();
      auto selector = free_selector(*all, domain, "", old[i].algorithm, now);
      auto job = [domain, selector, algorithm = old[i].algorithm, now] { return signing::make_key(domain, selector, algorithm, now); };
      Result<Key> made = co_await parts_.workers.run(std::move(job));
      if (made) changes.put.push_back(std::move(*made));
      else log::error("dkim.rotate", {{"domain", domain}, {"what", made.error().text}});
    }
    if (changes.put.empty()) continue;
    changes.notes.push_back(announcement(domain, changes.put));
    co_await apply(std::move(changes));
  }
}

io::Task<void> DkimKeeper::apply(signing::Changes changes) {
  if (changes.empty()) co_return;
  for (const auto& key : changes.put) log_change(key);
  // Into his INBOX in the same commit; what goes on to his server, after it.
  std::vector<store::Item> here, onward;
  for (auto& item : mail(changes.notes)) (item.onward.empty() ? here : onward).push_back(std::move(item));
  auto changed = co_await parts_.keys.change(parts_.store, std::move(changes.put), std::move(changes.erase), std::move(here));
  if (!changed) log::error("dkim.keys", {{"what", changed.error().text}});
  if (!changed || onward.empty() || parts_.deliverer == nullptr) co_return;
  store::Delivery notes;
  notes.items = std::move(onward);
  co_await parts_.deliverer->note(std::move(notes));
}

std::vector<store::Item> DkimKeeper::mail(const std::vector<signing::Note>& notes) const {
  std::vector<store::Item> out;
  for (const auto& note : notes) {
    log::info("dkim.note", {{"subject", note.subject}});
    auto message = delivery::note_to_postmaster(parts_.directory, parts_.config.hostname, note.subject, note.text);
    for (auto& item : message.items) out.push_back(std::move(item));
  }
  return out;
}

}  // namespace postern::admin
