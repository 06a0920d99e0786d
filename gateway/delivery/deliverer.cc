// From a judged message to one durable commit.
#include "gateway/delivery/deliverer.h"

#include <algorithm>

#include <set>

#include "gateway/base/log.h"
#include "gateway/delivery/hold.h"
#include "gateway/delivery/release.h"
#include "gateway/delivery/outgoing.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/base/text.h"
#include "gateway/mail/authres_payload.h"
#include "gateway/delivery/trace.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/mail/received.h"

namespace postern::delivery {

namespace {

bool is_ours(const smtp::Client& client) { return client.trusted || !client.login.empty(); }

bool goes_on(const PlanAccounts& accounts) {
  return std::any_of(accounts.onward.begin(), accounts.onward.end(), [](const OnwardCopy& copy) { return !copy.domain.empty(); }) ||
         std::any_of(accounts.forwarding.begin(), accounts.forwarding.end(), [](const Forwarding& each) { return !each.copies.empty(); }) ||
         std::any_of(accounts.journals.begin(), accounts.journals.end(), [](const JournalCopy& copy) { return copy.account == 0; });
}

}  // namespace

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
  // Its server's reports on success would tell the sender where his message went.
  auto notify = message.recipients[recipient].notify.without_success();
  using By = directory::Resolution::By;
  // Hosts of a user know him, and not what else leads to him.
  bool by_name = !to.has_own_hosts() || to.by == By::address || to.by == By::tag;
  if (to.kind == directory::Resolution::Kind::onward) out.onward = {to.domain, by_name ? copy.redirect : to.account_address, to.account_address, notify, {}};
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

std::string domain_of(const std::string& address) { return address.substr(address.rfind('@') + 1); }

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
    own.notify = own.notify.without_success();   // or the sender would hear where that leads
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
    OnwardCopy out = own;   // what the sender wants to hear holds for it too, but for where it went
    out.notify = own.notify.without_success();
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

io::Task<store::Change> Deliverer::find_accounts(Judged& message, PlanAccounts& accounts, std::vector<store::Item>& notes) {
  accounts.quarantine = quarantine_;
  auto strangers = strangers_of(message);
  message.abroad.insert(strangers.begin(), strangers.end());
  Loops loops(message.received);
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    const auto& recipient = message.recipients[i];
    const auto& verdict = message.verdict.recipients[i];
    if (!recipient.sent_by.empty() && verdict.action != smtp::Action::quarantine && !verdict.refused()) {
      if (loops.was_at(recipient.sent_by)) hold(message, i, "policy", "a loop: " + recipient.sent_by + " has sent it on before");
      else if (verdict.folder == "Junk") hold(message, i, "spam", "junk is not sent on to " + recipient.address);
    }
    if (auto list = list_of(message, i)) {
      co_await give_to_list(message, i, std::move(*list), accounts, notes);
      continue;
    }
    auto redirect = redirected(message, i);   // may decide that the copy is held
    // What is held on its way out lies with its sender: its recipients need no mailbox for it.
    bool held = accounts.sender == 0 && (verdict.action == smtp::Action::quarantine || verdict.refused());
    auto account = co_await account_for(recipient, held);
    // Removed between RCPT and now: the whole message waits at the sender's rather than losing a copy.
    if (account == 0 && (recipient.onward.empty() || held)) {
      store::Change gone;
      gone.outcome = store::Outcome::no_mailbox;
      gone.text = "A mailbox was removed meanwhile, try again";
      co_return gone;
    }
    accounts.recipients.push_back(account);
    auto owner = account != 0 ? store_.account(account) : std::nullopt;
    accounts.owners.push_back(owner ? owner->address : recipient.account);
    accounts.redirects.push_back(redirect.account);
    OnwardCopy own{recipient.onward, recipient.address, recipient.confirmed ? recipient.account : "", recipient.notify, recipient.orcpt};
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

// In other domains than ours; not those whom an alias of ours names.
std::vector<std::string> Deliverer::strangers_of(const Judged& message) const {
  std::vector<std::string> out;
  for (const auto& recipient : message.recipients) {
    if (!recipient.onward.empty() && recipient.sent_by.empty() && !directory_.is_ours(domain_of(recipient.onward))) out.push_back(recipient.address);
  }
  return out;
}

// May decide that the whole message is held.
io::Task<Result<SendLedger::Counted>> Deliverer::count(Judged& message, const store::Account& sender) {
  SendLedger::Counted counted;
  auto strangers = strangers_of(message);
  if (message.let_go) {
    auto met = co_await ledger_->meet(sender.id, std::move(strangers));
    if (!met) co_return met.error();
    counted.rows = std::move(*met);
    co_return counted;
  }
  std::set<std::string_view> named;   // an alias is one, however many it leads to
  for (const auto& recipient : message.recipients) named.insert(recipient.rcpt());
  auto answer = co_await ledger_->count(sender, named.size(), std::move(strangers));
  if (!answer) co_return answer.error();
  counted = std::move(*answer);
  if (!counted.over.empty()) hold_outgoing(message, counted.over);
  if (counted.stops) {
    log::warning("submission.stopped", {{"message", message.id}, {"login", sender.address}, {"ip", message.client.ip.to_string()}, {"why", counted.over}});
  }
  co_return counted;
}

void Deliverer::tell_postmaster(const Judged& message, const SendLedger::Counted& counted, store::Delivery& delivery) const {
  auto note = stop_note(directory_, message, counted.over, hostname_);
  for (auto& item : note.items) delivery.items.push_back(std::move(item));
}

io::Task<AbuseDesk::Noted> Deliverer::look_at(std::shared_ptr<const Judged> message) {
  AbuseDesk::Noted out;
  if (abuse_ != nullptr) out = co_await abuse_->look_at(std::move(message));
  co_return out;
}

io::Task<store::Change> Deliverer::deliver(std::shared_ptr<Judged> message, std::string reply, std::vector<store::Row> also) {
  message->judged_verdict = message->verdict.verdict;
  message->judged_recipients = message->verdict.recipients;
  auto noted = co_await look_at(message);   // before it may be held for being one too many
  std::move(noted.rows.begin(), noted.rows.end(), std::back_inserter(also));
  auto stored = co_await deliver_with(std::move(message), std::move(reply), std::move(also), std::move(noted.mail));
  if (!stored.ok() && abuse_ != nullptr) abuse_->not_committed(noted);
  co_return stored;
}

io::Task<store::Change> Deliverer::deliver_with(std::shared_ptr<Judged> message, std::string reply, std::vector<store::Row> also,
                                                std::vector<store::Item> notes) {
  PlanAccounts accounts;
  SendLedger::Counted counted;
  auto sender = message->client.outgoing() ? store_.account(message->client.login) : std::nullopt;
  if (sender) {
    accounts.sender = sender->id;
    accounts.save_to_sent = save_to_sent_;
  }
  if (sender && ledger_ != nullptr) {
    auto answer = co_await count(*message, *sender);
    if (!answer) {
      store::Change unread;
      unread.outcome = store::Outcome::cannot;
      unread.text = "What was sent before cannot be read now, try again later";
      log::error("submission.counts", {{"message", message->id}, {"what", answer.error().text}});
      co_return unread;
    }
    counted = std::move(*answer);
  }
  auto found = co_await find_accounts(*message, accounts, notes);
  if (!found.ok()) {
    if (ledger_ != nullptr) ledger_->not_committed(accounts.sender, counted);
    co_return found;
  }
  accounts.journals = journals_of(*message);
  if (goes_on(accounts)) {
    co_await sign(*message);
    co_await seal(*message, accounts);
  }
  auto delivery = plan(*message, accounts, hostname_);
  auto own = delivery.items.size();
  std::move(notes.begin(), notes.end(), std::back_inserter(delivery.items));
  reports_.add_delivered(delivery, *message, delivered_here(*message, accounts));
  if (signer_ != nullptr) co_await signer_->sign(delivery, own);
  add_trace(delivery, *message, reply);
  for (auto* rows : {&counted.rows, &also}) std::move(rows->begin(), rows->end(), std::back_inserter(delivery.rows));
  if (counted.stops) tell_postmaster(*message, counted, delivery);
  auto stored = co_await store_and_tell(std::move(delivery));
  if (!stored.ok() && ledger_ != nullptr) ledger_->not_committed(accounts.sender, counted);
  co_return stored;
}

void Deliverer::add_trace(store::Delivery& delivery, const Judged& message, const std::string& reply) const {
  auto rows = trace_rows(message, reply);
  if (trace_ != nullptr) trace_->note(rows);
  std::move(rows.begin(), rows.end(), std::back_inserter(delivery.rows));
}

io::Task<void> Deliverer::sign(Judged& message) {
  if (signer_ == nullptr || !is_ours(message.client) || !message.signatures.empty()) co_return;
  message.signatures = co_await signer_->sign(record_of(message.received, hostname_), message.id);
}

io::Task<void> Deliverer::seal(Judged& message, const PlanAccounts& accounts) {
  std::set<std::string> domains;
  for (const auto& copy : accounts.onward) domains.insert(seal_domain(copy));
  for (const auto& forwarding : accounts.forwarding) {
    for (const auto& copy : forwarding.copies) domains.insert(seal_domain(copy));
  }
  domains.erase("");
  if (signer_ == nullptr || domains.empty()) co_return;
  // What stands before the record besides is not covered by a set.
  auto octets = record_of(message.received, hostname_);
  if (!message.signatures.empty()) octets = Octets(message.signatures + std::string(octets.view()));
  auto payload = mail::combined_results(message.verdict.authentication_results, hostname_);
  for (const auto& domain : domains) {
    auto set = co_await signer_->seal_as(domain, octets, payload, message.id);
    if (!set.empty()) message.seals[domain] = std::move(set);
  }
}

io::Task<store::Change> Deliverer::keep_rest(store::Delivery plan, std::shared_ptr<const Judged> message, QueueState rest, std::vector<Fate> told,
                                             std::string reply) {
  constexpr auto kFirstWait = std::chrono::minutes(1);   // it was tried just now
  if (rest.recipients.empty()) {
    plan.items.clear();
  } else {
    auto& onward = plan.items.front().onward.front();
    onward.state = encode(rest);
    onward.due = Clock::system().now() + kFirstWait;
  }
  auto own = plan.items.size();
  if (!told.empty()) reports_.add(plan, rest, {message->when}, told, message->received.view());
  auto noted = co_await look_at(message);
  std::move(noted.rows.begin(), noted.rows.end(), std::back_inserter(plan.rows));
  std::move(noted.mail.begin(), noted.mail.end(), std::back_inserter(plan.items));
  if (signer_ != nullptr) co_await signer_->sign(plan, own);
  add_trace(plan, *message, reply);
  auto stored = co_await store_and_tell(std::move(plan));
  if (!stored.ok() && abuse_ != nullptr) abuse_->not_committed(noted);
  co_return stored;
}

io::Task<store::Change> Deliverer::send_own(store::Delivery delivery) {
  if (signer_ != nullptr) co_await signer_->sign(delivery);
  auto stored = co_await store_and_tell(std::move(delivery));
  co_return stored;
}

io::Task<store::Change> Deliverer::store_and_tell(store::Delivery delivery) {
  std::vector<Queued> queued;
  for (const auto& item : delivery.items) {
    for (const auto& onward : item.onward) queued.push_back({0, onward.destination, onward.due, sender_of(onward.state)});
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

io::Task<void> Deliverer::note(store::Delivery note) {
  if (note.items.empty()) co_return;
  auto stored = co_await send_own(std::move(note));
  if (!stored.ok()) log::error("note.not_stored", {{"what", stored.text}});
}

io::Task<void> Deliverer::record(std::shared_ptr<const Judged> message, std::string reply) {
  store::Delivery delivery;
  add_trace(delivery, *message, reply);
  AbuseDesk::Noted noted;
  if (message->client.outgoing()) noted = co_await look_at(message);
  std::move(noted.rows.begin(), noted.rows.end(), std::back_inserter(delivery.rows));
  std::move(noted.mail.begin(), noted.mail.end(), std::back_inserter(delivery.items));
  if (signer_ != nullptr) co_await signer_->sign(delivery);
  auto written = co_await store_and_tell(std::move(delivery));
  if (!written.ok() && abuse_ != nullptr) abuse_->not_committed(noted);
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
  if (!account_now) co_return 0;
  co_await make_release_folder(store, account_now->id);
  co_return account_now->id;
}

}  // namespace postern::delivery
