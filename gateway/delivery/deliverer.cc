// From a judged message to one durable commit.
#include "gateway/delivery/deliverer.h"

#include "gateway/base/log.h"
#include "gateway/delivery/release.h"

namespace postern::delivery {

// Whom a rule sends a copy to: an account of ours, or somebody whose mail goes on.
struct Deliverer::Redirected {
  store::AccountId account = 0;
  OnwardCopy onward;
};

// Nothing in it: to nobody else.  A rule that names nobody did not mean the recipient: the copy is held, with the
// rule's place as reason.
Deliverer::Redirected Deliverer::redirected(Judged& message, std::size_t recipient) const {
  auto& copy = message.verdict.recipients[recipient];
  Redirected out;
  if (copy.redirect.empty()) return out;
  auto to = directory_.resolve(copy.redirect);
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
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    const auto& recipient = message.recipients[i];
    auto redirect = redirected(message, i);   // may decide that the copy is held
    const auto& copy = message.verdict.recipients[i];
    bool held = copy.action == smtp::Action::quarantine || copy.refused();
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
    OnwardCopy own{recipient.onward, recipient.address, recipient.confirmed ? recipient.account : ""};
    bool elsewhere = redirect.account != 0 || !redirect.onward.domain.empty();
    accounts.onward.push_back(elsewhere ? std::move(redirect.onward) : std::move(own));
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
  if (!account_now) co_return 0;
  co_await make_release_folder(store, account_now->id);
  co_return account_now->id;
}

}  // namespace postern::delivery
