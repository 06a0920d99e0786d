// From a judged message to one durable commit.
#include "gateway/delivery/deliverer.h"

#include <set>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/received.h"

namespace postern::delivery {

// Whom a rule sends a copy to: an account of ours, or somebody whose mail goes on.
struct Deliverer::Redirected {
  store::AccountId account = 0;
  OnwardCopy onward;
};

// An alias that leads to one place of ours is as good as that; any other is not what a redirect is for.
directory::Resolution Deliverer::alone_behind(const directory::Resolution& alias, const std::string& address) const {
  auto leads_to = directory_.expand(alias, address).targets;
  bool one_of_ours = leads_to.size() == 1 && leads_to.front().sent_by.empty() && leads_to.front().forward.empty();
  return one_of_ours ? directory_.resolve(leads_to.front().address) : alias;
}

// Nothing in it: to nobody else.  A rule that names nobody did not mean the recipient: the copy is held, with the
// rule's place as reason.
Deliverer::Redirected Deliverer::redirected(Judged& message, std::size_t recipient) const {
  auto& copy = message.verdict.recipients[recipient];
  Redirected out;
  if (copy.redirect.empty()) return out;
  auto to = directory_.resolve(copy.redirect);
  if (to.kind == directory::Resolution::Kind::alias) to = alone_behind(to, copy.redirect);
  out.account = to.found() ? to.account : 0;
  if (to.kind == directory::Resolution::Kind::onward) out.onward = {to.domain, copy.redirect, to.account_address};
  if (out.account != 0 || !out.onward.domain.empty()) return out;
  smtp::Hit wrong;
  wrong.kind = "error";
  wrong.stage = smtp::Stage::deliver;
  wrong.why = "redirected to " + copy.redirect + ", which is no account here";
  wrong.recipient = copy.address;
  for (const auto& hit : message.verdict.hits) {
    if (hit.kind != "redirect" || hit.recipient != copy.address) continue;
    wrong.rule = hit.rule;
    wrong.at = hit.at;
  }
  log::error("deliver.redirect", {{"message", message.id}, {"rule", wrong.rule}, {"at", wrong.at}, {"what", wrong.why}, {"action", "quarantine"}});
  message.verdict.hits.insert(message.verdict.hits.begin(), std::move(wrong));   // first: it is the reason
  copy.action = smtp::Action::quarantine;
  copy.folder = "Quarantine";
  copy.quarantine_class = "policy";
  copy.redirect.clear();
  return out;
}

// Who has sent this message on before; read when it is first asked.
class Deliverer::Loops {
 public:
  explicit Loops(const Octets& message) : message_(message) {}
  bool was_at(const std::string& address) {
    if (!been_) been_ = mail::delivered_to(message_.view());
    return been_->contains(ascii_lowered(address));
  }

 private:
  const Octets& message_;
  std::optional<std::set<std::string>> been_;
};

namespace {

bool is_good(const smtp::RecipientVerdict& copy) {
  return copy.action != smtp::Action::quarantine && !copy.refused() && copy.folder != "Junk";
}

std::string domain_of(const std::string& address) { return address.substr(address.rfind('@') + 1); }

void hold(Judged& message, std::size_t recipient, std::string_view message_class, const std::string& why) {
  auto& copy = message.verdict.recipients[recipient];
  smtp::Hit hit;
  hit.rule = "forward";
  hit.kind = "quarantine";
  hit.stage = smtp::Stage::deliver;
  hit.why = why;
  hit.at = "forward";
  hit.recipient = copy.address;
  message.verdict.hits.insert(message.verdict.hits.begin(), std::move(hit));   // first: it is the reason
  copy.action = smtp::Action::quarantine;
  copy.folder = "Quarantine";
  copy.quarantine_class = message_class;
  copy.redirect.clear();
}

}  // namespace

// What leaves for a foreign address because one of ours wants it so.  Spam that we sent on would be ours in the eyes of
// who gets it.  False: there is no key for the sender's address now.
bool Deliverer::send_on(Judged& message, std::size_t recipient, Loops& loops, PlanAccounts& accounts) const {
  const auto& who = message.recipients[recipient];
  const auto& copy = message.verdict.recipients[recipient];
  auto& forwarding = accounts.forwarding.emplace_back();
  auto& own = accounts.onward[recipient];
  if (!who.sent_by.empty() && is_good(copy) && own.address == who.address) {
    own.sent_by = who.sent_by;
    own.sender = directory_.sender_of_forwarded(message.sender.address, who.sent_by);
    return own.sender.has_value();
  }
  if (who.forward.empty() || !is_good(copy) || accounts.redirects[recipient] != 0 || !own.domain.empty()) return true;
  if (loops.was_at(who.account)) {   // he has it now, wherever it came back from
    log::warning("deliver.loop", {{"message", message.id}, {"account", who.account}, {"action", "kept"}});
    return true;
  }
  auto sender = directory_.sender_of_forwarded(message.sender.address, who.account);
  if (!sender) return false;
  for (const auto& address : who.forward) {
    OnwardCopy out = own;   // what the sender wants to hear holds for it too
    out.domain = domain_of(address);
    out.address = address;
    out.account = who.account;
    out.sent_by = who.account;
    out.sender = sender;
    forwarding.copies.push_back(std::move(out));
  }
  forwarding.keep = who.keep;
  return true;
}

// 0: there is none.  One whose mail goes on needs none until a copy is held for him; and one of whom nobody knows
// whether he exists gets none at all, or a stranger could make as many as he can think of.
io::Task<store::AccountId> Deliverer::account_for(const smtp::Recipient& recipient, bool held) {
  if (!recipient.onward.empty() && !held) co_return 0;
  if (auto account = store_.account(recipient.account)) co_return account->id;
  if (recipient.onward.empty()) co_return 0;
  if (!recipient.confirmed) {
    auto postmaster = directory_.resolve("postmaster");
    co_return postmaster.account;
  }
  auto made = co_await quarantine_account(store_, recipient.account);
  co_return made;
}

io::Task<store::Change> Deliverer::find_accounts(Judged& message, PlanAccounts& accounts) {
  accounts.quarantine = quarantine_;
  Loops loops(message.received);
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    const auto& recipient = message.recipients[i];
    const auto& verdict = message.verdict.recipients[i];
    if (!recipient.sent_by.empty() && verdict.action != smtp::Action::quarantine && !verdict.refused()) {
      if (loops.was_at(recipient.sent_by)) hold(message, i, "policy", "a loop: " + recipient.sent_by + " has sent it on before");
      else if (verdict.folder == "Junk") hold(message, i, "spam", "junk is not sent on to " + recipient.address);
    }
    auto redirect = redirected(message, i);   // may decide that the copy is held
    bool held = verdict.action == smtp::Action::quarantine || verdict.refused();
    auto account = co_await account_for(recipient, held);
    // Removed between RCPT and now: the whole message waits at the sender's rather than losing a copy.
    if (account == 0 && (recipient.onward.empty() || held)) {
      store::Change gone;
      gone.outcome = store::Outcome::no_mailbox;
      gone.text = "A mailbox was removed meanwhile, try again";
      co_return gone;
    }
    accounts.recipients.push_back(account);
    accounts.redirects.push_back(redirect.account);
    OnwardCopy own{recipient.onward, recipient.address, recipient.confirmed ? recipient.account : ""};
    bool elsewhere = redirect.account != 0 || !redirect.onward.domain.empty();
    accounts.onward.push_back(elsewhere ? std::move(redirect.onward) : std::move(own));
    if (!send_on(message, i, loops, accounts)) {
      store::Change later;
      later.outcome = store::Outcome::cannot;
      later.text = "This cannot be sent on now, try again later";
      co_return later;
    }
  }
  co_return store::Change();
}

io::Task<store::Change> Deliverer::deliver(std::shared_ptr<Judged> message, std::string reply) {
  PlanAccounts accounts;
  auto found = co_await find_accounts(*message, accounts);
  if (!found.ok()) co_return found;
  auto delivery = plan(*message, accounts, hostname_);
  delivery.rows.push_back(trace_row(*message, reply));
  std::vector<Queued> queued;
  for (const auto& item : delivery.items) {
    for (const auto& onward : item.onward) queued.push_back({0, onward.destination, onward.due});
  }
  auto delivered = co_await store_.deliver(std::move(delivery));
  if (delivered.ok() && !queued.empty()) tell(std::move(queued), delivered);
  co_return delivered;
}

void Deliverer::tell(std::vector<Queued> queued, const store::Delivered& delivered) {
  std::size_t next = 0;
  for (const auto& ids : delivered.queued) {
    for (auto id : ids) queued[next++].id = id;
  }
  if (tell_) tell_(std::move(queued));
}

io::Task<void> Deliverer::record(std::shared_ptr<const Judged> message, std::string reply) {
  std::vector<store::Row> rows;
  rows.push_back(trace_row(*message, reply));
  auto written = co_await store_.write(std::move(rows));
  if (!written.ok()) log::warning("trace.lost", {{"message", message->id}, {"what", written.text}});
}

io::Task<store::AccountId> quarantine_account(store::Store& store, std::string address) {
  if (auto there = store.account(address)) co_return there->id;
  store::Account account;
  account.address = address;
  account.created = Clock::system().now();
  auto made = co_await store.create_account(std::move(account));
  auto account_now = store.account(address);
  if (!account_now) log::error("deliver.account", {{"account", address}, {"what", made.text}});
  co_return account_now ? account_now->id : 0;
}

}  // namespace postern::delivery
