// From a judged message to one durable commit.
#include "gateway/delivery/deliverer.h"

#include "gateway/base/log.h"

namespace postern::delivery {

// The account that a rule sends this copy to; 0: to nobody else.  A rule that names nobody did not mean
// the recipient: the copy is held, with the rule's place as reason.
store::AccountId Deliverer::redirected(Judged& message, std::size_t recipient) const {
  auto& copy = message.verdict.recipients[recipient];
  if (copy.redirect.empty()) return 0;
  auto to = directory_.resolve(copy.redirect);
  if (to.found()) return to.account;
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
  return 0;
}

io::Task<store::Change> Deliverer::deliver(std::shared_ptr<Judged> message, std::string reply) {
  PlanAccounts accounts;
  accounts.quarantine = quarantine_;
  for (std::size_t i = 0; i < message->recipients.size(); ++i) {
    auto account = store_.account(message->recipients[i].account);
    // Removed between RCPT and now: the whole message waits at the sender's rather than losing a copy.
    if (!account) {
      store::Change gone;
      gone.outcome = store::Outcome::no_mailbox;
      gone.text = "A mailbox was removed meanwhile, try again";
      co_return gone;
    }
    accounts.recipients.push_back(account->id);
    accounts.redirects.push_back(redirected(*message, i));
  }
  auto delivery = plan(*message, accounts, hostname_);
  delivery.rows.push_back(trace_row(*message, reply));
  auto delivered = co_await store_.deliver(std::move(delivery));
  co_return delivered;
}

io::Task<void> Deliverer::record(std::shared_ptr<const Judged> message, std::string reply) {
  std::vector<store::Row> rows;
  rows.push_back(trace_row(*message, reply));
  auto written = co_await store_.write(std::move(rows));
  if (!written.ok()) log::warning("trace.lost", {{"message", message->id}, {"what", written.text}});
}

}  // namespace postern::delivery
