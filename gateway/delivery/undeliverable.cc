// What becomes of mail that cannot be handed on.
#include "gateway/delivery/undeliverable.h"

#include <algorithm>
#include <set>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/notice.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

using Action = mail::DsnRecipient::Action;

constexpr auto kNoteEvery = 6h;
constexpr std::size_t kMaxTold = 1000;
constexpr std::size_t kMaxShown = 20;

// Who is known no more (his account was removed, or nobody ever knew him): the postmaster.
store::AccountId taker(const store::Store& store, const directory::Directory& directory, const std::string& address) {
  if (auto account = address.empty() ? std::nullopt : store.account(address)) return account->id;
  return directory.resolve("postmaster").account;
}

// Why its sender does not hear of it.
std::string_view untold(const QueueState& state) {
  if (state.sender.empty()) return "because it\r\nnames no sender";
  return state.may_report ? "because he\r\nasked for no report" : "because nothing\r\nshows that he is who he says";
}

}  // namespace

io::Task<bool> Undeliverable::add(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Fate> fates) {
  bool known = may_be_told(state);
  std::vector<Fate> told, kept;
  for (auto& fate : fates) {
    if (known && fate.is_wanted()) told.push_back(std::move(fate));
    else if (fate.action == Action::failed) kept.push_back(std::move(fate));
  }
  if (told.empty() && kept.empty()) co_return true;
  auto record = co_await store_.record(entry);
  if (!record) {
    log::error("queue.record", {{"entry", std::to_string(entry.id)}, {"what", record.error().text}});
    co_return false;
  }
  if (!told.empty()) reports_.add(delivery, state, {entry.arrived}, told, record->view());
  if (kept.empty()) co_return true;
  add_note(delivery, entry, state, kept);
  co_await add_copies(delivery, entry, state, std::move(kept), std::move(*record));
  co_return true;
}

io::Task<void> Undeliverable::add_copies(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state,
                                         std::vector<Fate> failed, Octets record) {
  auto item = item_with(entry.message_id, std::move(record), entry.arrived);
  std::set<store::AccountId> placed;
  for (const auto& each : failed) {
    if (!each.who.account.empty()) co_await quarantine_account(store_, each.who.account);
    auto account = taker(store_, directory_, each.who.account);
    if (!placed.insert(account).second) continue;
    auto& target = item.targets.emplace_back();
    target.account = account;
    target.use = store::SpecialUse::quarantine;
    target.header_prefix = "Return-Path: <" + state.sender + ">\r\n" + entry.header_prefix;
    store::Held held;
    held.message_class = "undeliverable";
    held.reason = printable("not delivered to " + each.who.address + ": " + each.why, 400);
    held.sender = state.sender;
    target.held = std::move(held);
  }
  delivery.items.push_back(std::move(item));
}

// One for all that one host refuses in some hours: the mailbox of a postmaster is no log.
void Undeliverable::add_note(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, const std::vector<Fate>& failed) {
  if (told_.size() >= kMaxTold) told_.clear();
  // A note that could not be handed on itself lies in his quarantine then; another one would go the same way.
  if (state.sender.empty() && failed.front().who.address == directory_.postmaster_address()) return;
  auto& until = told_[entry.destination];
  if (until > in(0s)) return;
  until = in(kNoteEvery);
  std::string text = "Mail for " + printable(entry.destination) + " could not be handed on.  It is not lost: each copy lies in its\r\n"
                     "recipient's quarantine, class undeliverable, or in yours where the recipient has\r\nno account here.  Its sender was not told, " +
                     std::string(untold(state)) + ".\r\n\r\n  Message:   " + entry.message_id + "\r\n";
  for (std::size_t i = 0; i < std::min(failed.size(), kMaxShown); ++i) {
    text += "  Recipient: " + printable(failed[i].who.address, 300) + "\r\n  Why:       " + printable(failed[i].why, 600) + "\r\n";
  }
  text += "\r\nWhat else fails for this domain in the next six hours is in the log\r\n(event=queue.failed) and in \"postern quarantine list\".\r\n";
  auto note = note_to_postmaster(directory_, hostname_, "Mail for " + entry.destination + " could not be handed on", text);
  for (auto& item : note.items) delivery.items.push_back(std::move(item));
}

}  // namespace postern::delivery
