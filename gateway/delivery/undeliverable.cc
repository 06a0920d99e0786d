// What becomes of mail that cannot be handed on.
#include "gateway/delivery/undeliverable.h"

#include <algorithm>
#include <set>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/notice.h"
#include "gateway/delivery/own_mail.h"
#include "gateway/mail/dsn.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr auto kNoteEvery = 6h;
constexpr std::size_t kMaxTold = 1000;
constexpr std::size_t kMaxShown = 20;

store::Item item_with(std::string id, Octets record, Time when) {
  store::Item item;
  item.id = std::move(id);
  item.parts = mail::serialize(mail::parse(record.view()));
  item.envelope = mail::envelope_of(record.view());
  item.internal_date = when;
  item.pieces.push_back(std::move(record));
  return item;
}

mail::DsnRecipient recipient_of(const Failed& failed, const QueueState& state) {
  mail::DsnRecipient out;
  out.address = failed.who.address;
  out.status = failed.status;
  out.remote = failed.host;
  out.diagnostic = failed.diagnostic;
  out.why = failed.why;
  out.last_attempt = state.last_attempt;
  return out;
}

// Who is known no more (his account was removed, or nobody ever knew him): the postmaster.
store::AccountId taker(const store::Store& store, const directory::Directory& directory, const std::string& address) {
  if (auto account = address.empty() ? std::nullopt : store.account(address)) return account->id;
  return directory.resolve("postmaster").account;
}

}  // namespace

io::Task<bool> Undeliverable::add(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state, std::vector<Failed> failed) {
  auto record = co_await store_.record(entry);
  if (!record) {
    log::error("queue.record", {{"entry", std::to_string(entry.id)}, {"what", record.error().text}});
    co_return false;
  }
  if (state.may_report && !state.sender.empty()) {
    add_report(delivery, entry, state, failed, *record);
    co_return true;
  }
  add_note(delivery, entry, failed);
  co_await add_copies(delivery, entry, state, std::move(failed), std::move(*record));
  co_return true;
}

void Undeliverable::add_report(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state,
                               const std::vector<Failed>& failed, const Octets& record) const {
  mail::Dsn dsn;
  dsn.reporting_mta = hostname_;
  dsn.to = state.sender;
  dsn.id = new_id();
  dsn.arrival = entry.arrived;
  dsn.now = Clock::system().now();
  for (const auto& each : failed) dsn.recipients.push_back(recipient_of(each, state));
  dsn.utf8 = state.smtputf8;
  auto id = dsn.id;
  auto when = dsn.now;
  Octets report(mail::delivery_status_notification(dsn, record.view()));
  delivery.items.push_back(own_item(directory_, std::move(id), std::move(report), when, state.sender, state.smtputf8));
}

io::Task<void> Undeliverable::add_copies(store::Delivery& delivery, const store::QueueEntry& entry, const QueueState& state,
                                         std::vector<Failed> failed, Octets record) {
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
void Undeliverable::add_note(store::Delivery& delivery, const store::QueueEntry& entry, const std::vector<Failed>& failed) {
  if (told_.size() >= kMaxTold) told_.clear();
  auto& until = told_[entry.destination];
  if (until > in(0s)) return;
  until = in(kNoteEvery);
  auto postmaster = directory_.resolve("postmaster");
  if (!postmaster.found()) return;
  std::string text = "Mail for " + printable(entry.destination) + " could not be handed on.  It is not lost: each copy lies in its\r\n"
                     "recipient's quarantine, class undeliverable, or in yours where the recipient has\r\nno account here.  Its sender was not told, "
                     "because nothing shows that he is who\r\nhe says.\r\n\r\n  Message:   " + entry.message_id + "\r\n";
  for (std::size_t i = 0; i < std::min(failed.size(), kMaxShown); ++i) {
    text += "  Recipient: " + printable(failed[i].who.address, 300) + "\r\n  Why:       " + printable(failed[i].why, 600) + "\r\n";
  }
  text += "\r\nWhat else fails for this domain in the next six hours is in the log\r\n(event=queue.failed) and in \"postern quarantine list\".\r\n";
  auto note = note_to(postmaster.account, hostname_, "Mail for " + entry.destination + " could not be handed on", text);
  for (auto& item : note.items) delivery.items.push_back(std::move(item));
}

}  // namespace postern::delivery
