// From a verdict to the rows of one commit.  RFC 5321 4.4 for what is added, design 6 "per recipient".
#include "gateway/delivery/plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/delivery/headers.h"
#include "gateway/delivery/notice.h"
#include "gateway/delivery/originals.h"
#include "gateway/delivery/outgoing.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/strip.h"

namespace postern::delivery {
namespace {

using store::Item;
using store::SpecialUse;
using store::Target;

Item item_of(std::string id, Octets record, Time when) {
  Item item;
  item.id = std::move(id);
  item.internal_date = when;
  item.pieces.push_back(std::move(record));
  return item;
}

// What a mailbox wants to know; a message that only goes on is not read for it.
void describe(Item& item) {
  auto record = item.pieces.front().view();
  item.parts = mail::serialize(mail::parse(record));
  item.envelope = mail::envelope_of(record);
}

std::string reason_of(const smtp::MessageVerdict& verdict, const smtp::RecipientVerdict& copy) {
  const smtp::Hit* best = nullptr;
  for (const auto& hit : verdict.hits) {
    if (!hit.recipient.empty() && hit.recipient != copy.address) continue;
    if (hit.shadow || hit.off) continue;
    bool decides = hit.kind != "score" && hit.kind != "tag" && hit.kind != "accept";
    bool best_decides = best != nullptr && best->kind != "score" && best->kind != "tag" && best->kind != "accept";
    if (best == nullptr || (decides && !best_decides) || (decides == best_decides && hit.points > best->points)) best = &hit;
  }
  return best != nullptr ? best->why : copy.reply;
}

bool goes_to_quarantine(const smtp::RecipientVerdict& copy) {
  return copy.action == smtp::Action::quarantine || copy.refused();
}

store::Held held_of(const Judged& message, const smtp::RecipientVerdict& copy) {
  store::Held held;
  held.message_class = copy.quarantine_class.empty() ? "policy" : copy.quarantine_class;
  held.reason = reason_of(message.verdict, copy);
  held.score = copy.score;
  held.sender = message.sender.address;
  return held;
}

void set_folder(Target& target, const std::string& folder) {
  if (folder == "INBOX") {
    target.use = SpecialUse::inbox;
  } else if (folder == "Junk") {
    target.use = SpecialUse::junk;
  } else if (folder == "Quarantine") {
    target.use = SpecialUse::quarantine;
  } else {
    target.mailbox = folder;
  }
}

// The hosts of one domain get a message once for all recipients whose copies are the same, but no more in one entry
// than most servers take in one transaction (RFC 5321 4.5.3.1.8).
constexpr std::size_t kMaxTogether = 100;

bool has_eight_bit(std::string_view octets) {
  return std::any_of(octets.begin(), octets.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
}

void about(QueueState& state, const Judged& message, bool eight_bit) {
  state.eight_bit = eight_bit;
  state.smtputf8 = message.sender.smtputf8 && eight_bit;
  state.may_report = !state.sender.empty() && is_sender_known(message);
  state.ret = message.sender.ret;
  state.envid = message.sender.envid;
}

// The copies that go on, gathered into entries.
class Onwards {
 public:
  explicit Onwards(const Judged& message) : message_(message) {}

  void add(const OnwardCopy& copy, std::string prefix) {
    auto& open = open_[{copy.domain, prefix, copy.post}];
    if (open.recipients.size() == kMaxTogether) close(copy.domain, prefix, std::exchange(open, {}));
    bool twice = std::any_of(open.recipients.begin(), open.recipients.end(), [&](const Pending& other) { return other.address == copy.address; });
    if (!twice) open.recipients.push_back({copy.address, copy.account, "", copy.notify, copy.orcpt});
    open.sender = copy.sender.value_or(message_.sender.address);   // one for all: who sends on stands in the prefix
    open.post = copy.post;
  }

  std::vector<store::Onward> take() {
    for (auto& [where, open] : open_) close(std::get<0>(where), std::get<1>(where), std::move(open));
    open_.clear();
    return std::move(closed_);
  }

 private:
  void close(const std::string& domain, const std::string& prefix, QueueState state) {
    about(state, message_, eight_bit());
    store::Onward onward;
    onward.destination = domain;
    onward.header_prefix = prefix;
    onward.state = encode(state);
    closed_.push_back(std::move(onward));
  }
  bool eight_bit() {
    if (!eight_bit_) eight_bit_ = has_eight_bit(message_.received.view());
    return *eight_bit_;
  }

  const Judged& message_;
  std::map<std::tuple<std::string, std::string, std::string>, QueueState> open_;   // by domain, prefix, post
  std::vector<store::Onward> closed_;
  std::optional<bool> eight_bit_;
};

std::string prefix_of(const OnwardCopy& copy, const Judged& message, std::size_t recipient, const std::string& hostname) {
  auto ours = copy.sent_by.empty() ? onward_prefix(message, recipient, hostname) : forwarded_prefix(message, copy.sent_by, hostname);
  if (!copy.post.empty()) return ours;
  auto seal = message.seals.find(seal_domain(copy));
  return ours + (seal == message.seals.end() ? "" : seal->second) + message.signatures;
}

bool is_set_aside(const PlanAccounts& accounts, std::size_t recipient) {
  return recipient < accounts.set_aside.size() && accounts.set_aside[recipient];
}

void add_journals(const Judged& message, const PlanAccounts& accounts, const std::string& hostname, Item& body, Onwards& onwards) {
  std::set<store::AccountId> there;
  for (const auto& journal : accounts.journals) {
    if (journal.account != 0 && !there.insert(journal.account).second) continue;
    if (journal.account == 0) {
      onwards.add(journal.onward, journal_prefix(message, hostname) + message.signatures);
      continue;
    }
    Target kept;
    kept.account = journal.account;
    kept.use = SpecialUse::inbox;
    kept.header_prefix = "Return-Path: <" + message.sender.address + ">\r\n" + journal_prefix(message, hostname);
    body.targets.push_back(std::move(kept));
  }
}

}  // namespace

std::string seal_domain(const OnwardCopy& copy) {
  if (copy.domain.empty() || copy.sent_by.empty() || !copy.post.empty()) return {};
  return ascii_lowered(copy.sent_by.substr(copy.sent_by.rfind('@') + 1));
}

QueueState state_of(const OnwardCopy& copy, const Judged& message) {
  QueueState state;
  state.sender = copy.sender.value_or(message.sender.address);
  state.recipients.push_back({copy.address, copy.account, "", copy.notify, copy.orcpt});
  state.post = copy.post;
  about(state, message, has_eight_bit(message.received.view()));
  return state;
}

Octets record_of(const Octets& received, const std::string& hostname) {
  auto cuts = mail::forged_fields(received.view(), hostname);
  if (cuts.empty()) return received;
  return Octets(mail::without(received.view(), cuts));
}

store::Delivery plan(const Judged& message, const PlanAccounts& accounts, const std::string& hostname) {
  store::Delivery delivery;
  auto body = item_of(message.id, record_of(message.received, hostname), message.when);
  std::vector<Item> notices;
  Onwards onwards(message);
  std::map<std::pair<store::AccountId, std::string>, bool> placed;
  std::vector<std::size_t> held_back;
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    const auto& copy = message.verdict.recipients[i];
    if (accounts.sender != 0 && goes_to_quarantine(copy)) {
      held_back.push_back(i);
      continue;
    }
    if (!accounts.onward[i].domain.empty() && !goes_to_quarantine(copy)) {
      onwards.add(accounts.onward[i], prefix_of(accounts.onward[i], message, i, hostname));
      continue;
    }
    if (i < accounts.forwarding.size() && !goes_to_quarantine(copy)) {
      const auto& forwarding = accounts.forwarding[i];
      for (const auto& onward : forwarding.copies) onwards.add(onward, prefix_of(onward, message, i, hostname));
      if (!forwarding.keep && !forwarding.copies.empty()) continue;
    }
    if (is_set_aside(accounts, i) && !goes_to_quarantine(copy)) continue;
    Target target;
    target.account = accounts.redirects[i] != 0 ? accounts.redirects[i] : accounts.recipients[i];
    target.header_prefix = header_prefix(message, i, hostname);
    // It goes on when it is released.
    if (!accounts.onward[i].domain.empty()) target.header_prefix += message.signatures;
    std::string folder = goes_to_quarantine(copy) ? "Quarantine" : copy.folder;
    // Two addresses of one user: one copy, RFC 5321 does not want two.
    if (!placed.emplace(std::pair(target.account, folder), true).second) continue;
    set_folder(target, folder);
    if (goes_to_quarantine(copy)) target.held = held_of(message, copy);
    if (target.held && target.held->message_class == "virus") {
      // The original lies only in the administrators' view; the user gets a notice (design 6, quarantine 3).
      auto notice = item_of(message.id, Octets(virus_notice(message, i, hostname)), message.when);
      Target notice_target = target;
      notice_target.header_prefix.clear();
      notice_target.held->notice = true;
      notice_target.notice_of = 0;
      notice_target.notice_of_target = body.targets.size();
      describe(notice);
      notice.targets.push_back(std::move(notice_target));
      notices.push_back(std::move(notice));
      // One for each recipient, under his own fields: it is his when an administrator releases it.
      target.held->recipient = target.account;
      target.account = accounts.quarantine;
      target.use = SpecialUse::none;
      target.mailbox = originals_folder(i < accounts.owners.size() ? accounts.owners[i] : message.recipients[i].account);
    }
    body.targets.push_back(std::move(target));
  }
  if (!held_back.empty()) body.targets.push_back(held_outgoing(message, held_back, accounts.sender, hostname));
  if (accounts.save_to_sent && held_back.size() < message.recipients.size()) {
    Target sent;
    sent.account = accounts.sender;
    sent.use = SpecialUse::sent;
    sent.flags.system = store::flag::seen;
    body.targets.push_back(std::move(sent));
  }
  body.targets.insert(body.targets.end(), accounts.more.begin(), accounts.more.end());
  add_journals(message, accounts, hostname, body, onwards);
  if (!body.targets.empty()) describe(body);
  body.onward = onwards.take();
  delivery.items.push_back(std::move(body));
  for (auto& notice : notices) delivery.items.push_back(std::move(notice));
  return delivery;
}

std::vector<std::size_t> delivered_here(const Judged& message, const PlanAccounts& accounts) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    bool sent_away = i < accounts.forwarding.size() && !accounts.forwarding[i].keep && !accounts.forwarding[i].copies.empty();
    if (accounts.onward[i].domain.empty() && !sent_away && !is_set_aside(accounts, i) && !goes_to_quarantine(message.verdict.recipients[i])) out.push_back(i);
  }
  return out;
}

bool is_sender_known(const Judged& message) {
  return message.verdict.sender_proved || message.client.trusted || !message.client.login.empty();
}

}  // namespace postern::delivery
