// From a judged message to one durable commit.
#include "gateway/delivery/deliverer.h"

#include "gateway/base/log.h"

namespace postern::delivery {

io::Task<store::Change> Deliverer::deliver(Judged message, std::string reply) {
  PlanAccounts accounts;
  accounts.quarantine = quarantine_;
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    auto account = store_.account(message.recipients[i].account);
    // Removed between RCPT and now: the whole message waits at the sender's rather than losing a copy.
    if (!account) {
      store::Change gone;
      gone.outcome = store::Outcome::no_mailbox;
      gone.text = "A mailbox was removed meanwhile, try again";
      co_return gone;
    }
    accounts.recipients.push_back(account->id);
    const auto& redirect = message.verdict.recipients[i].redirect;
    auto other = redirect.empty() ? std::nullopt : store_.account(redirect);
    if (!redirect.empty() && !other) {
      log::error("deliver.redirect", {{"message", message.id}, {"to", redirect}, {"what", "no such account; delivered to the recipient"}});
    }
    accounts.redirects.push_back(other ? other->id : 0);
  }
  auto delivery = plan(message, accounts, hostname_);
  delivery.rows.push_back(trace_row(message, reply));
  auto delivered = co_await store_.deliver(std::move(delivery));
  co_return delivered;
}

io::Task<void> Deliverer::record(Judged message, std::string reply) {
  std::vector<store::Row> rows;
  rows.push_back(trace_row(message, reply));
  auto written = co_await store_.write(std::move(rows));
  if (!written.ok()) log::warning("trace.lost", {{"message", message.id}, {"what", written.text}});
}

}  // namespace postern::delivery
