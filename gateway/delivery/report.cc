// Reports to senders: who hears of what, and where his report goes.  RFC 3461 5.2, 6.
#include "gateway/delivery/report.h"

#include <algorithm>

#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/own_mail.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"

namespace postern::delivery {
namespace {

using Action = mail::DsnRecipient::Action;

constexpr std::size_t kMaxWords = 500;   // of a remote, kept with the entry

mail::DsnRecipient recipient_of(const Fate& fate, const QueueState& state, const Reports::About& about) {
  mail::DsnRecipient out;
  out.action = fate.action;
  out.address = fate.who.address;
  out.orcpt = fate.who.orcpt;
  out.status = fate.status;
  out.remote = fate.host;
  out.diagnostic = fate.diagnostic;
  out.why = fate.why;
  out.last_attempt = state.last_attempt;
  out.will_retry_until = about.retry_until;
  return out;
}

// What was said last: of him, else of his host.
std::string last_words(const Pending& who, const std::string& trouble) { return who.words.empty() ? trouble : who.words; }

}  // namespace

std::string words_of(const smtp_client::Outcome& outcome) {
  auto words = printable(outcome.sentence(), kMaxWords);
  return words.empty() ? "no reason was given" : words;
}

Fate failed_for(Pending who, const smtp_client::Outcome& outcome, const std::string& host, bool expired) {
  Fate out;
  out.status = outcome.status();
  out.host = host;
  if (outcome.reply.code != 0) out.diagnostic = outcome.reply.sentence();
  out.why = words_of(outcome);
  if (expired) {
    out.status = "4.4.7";   // RFC 3463: delivery time expired
    out.why = "given up after the longest time in the queue; at last: " + out.why;
  }
  who.words = out.why;
  out.who = std::move(who);
  return out;
}

Fate relayed_for(Pending who, const smtp_client::Outcome& outcome, const std::string& host) {
  Fate out;
  out.action = Action::relayed;
  out.status = outcome.status();
  out.host = host;
  out.diagnostic = outcome.reply.sentence();
  out.who = std::move(who);
  return out;
}

Fate delayed_for(Pending who, const std::string& trouble) {
  Fate out;
  out.action = Action::delayed;
  out.status = "4.4.7";
  out.why = last_words(who, trouble);
  out.who = std::move(who);
  return out;
}

Fate unwanted_for(Pending who, const std::string& trouble) {
  Fate out;
  out.status = "5.0.0";
  auto last = last_words(who, trouble);
  out.why = "given up by the administrator" + (last.empty() ? "" : "; at last: " + last);
  who.words = out.why;
  out.who = std::move(who);
  return out;
}

bool Fate::is_wanted() const {
  switch (action) {
    case Action::failed: return who.notify.failure;
    case Action::delayed: return who.notify.delay;
    case Action::relayed:
    case Action::delivered:
    case Action::expanded: return who.notify.success;
  }
  return false;
}

bool may_be_told(const QueueState& state) { return state.may_report && !state.sender.empty(); }

store::Item item_with(std::string id, Octets record, Time when) {
  store::Item item;
  item.id = std::move(id);
  item.parts = mail::serialize(mail::parse(record.view()));
  item.envelope = mail::envelope_of(record.view());
  item.internal_date = when;
  item.pieces.push_back(std::move(record));
  return item;
}

void Reports::add(store::Delivery& delivery, const QueueState& state, About about, const std::vector<Fate>& fates,
                  std::string_view message) const {
  mail::Dsn dsn;
  dsn.reporting_mta = hostname_;
  auto sender = directory_.resolve(state.sender);
  dsn.to = sender.kind == directory::Resolution::Kind::returned ? sender.original : state.sender;   // who wrote knows no other
  dsn.envid = state.envid;
  dsn.id = new_id();
  dsn.arrival = about.arrived;
  dsn.now = Clock::system().now();
  for (const auto& fate : fates) dsn.recipients.push_back(recipient_of(fate, state, about));
  dsn.full = state.ret == "FULL";
  dsn.utf8 = state.smtputf8;
  auto id = dsn.id;
  auto when = dsn.now;
  Octets report(mail::delivery_status_notification(dsn, message));
  delivery.items.push_back(own_item(directory_, std::move(id), std::move(report), when, state.sender, state.smtputf8));
}

void Reports::add_delivered(store::Delivery& delivery, const Judged& message, const std::vector<std::size_t>& placed) const {
  QueueState state;
  state.sender = message.sender.address;
  state.may_report = is_sender_known(message);
  if (!may_be_told(state)) return;
  std::vector<Fate> fates;
  for (auto index : placed) {
    const auto& recipient = message.recipients[index];
    Fate fate;
    // By the name that he knows: who is behind an alias is not for him.
    fate.who.address = recipient.rcpt();
    bool twice = std::any_of(fates.begin(), fates.end(), [&](const Fate& other) { return other.who.address == fate.who.address; });
    if (twice) continue;
    fate.who.orcpt = recipient.orcpt;
    fate.who.notify = recipient.notify;
    fate.action = Action::delivered;
    fate.status = "2.0.0";
    if (fate.is_wanted()) fates.push_back(std::move(fate));
  }
  if (fates.empty()) return;
  state.envid = message.sender.envid;
  state.ret = message.sender.ret;
  state.smtputf8 = message.sender.smtputf8;
  add(delivery, state, {message.when}, fates, message.received.view());
}

}  // namespace postern::delivery
