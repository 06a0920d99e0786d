// A message on its way through to the host behind, and what is left of it here.
#include "gateway/delivery/hand_on.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/trace.h"

namespace postern::delivery {
namespace {

using smtp_client::Outcome;

// Goes as it is to the domain of the first recipient.
bool goes_along(const Judged& message, std::size_t index) {
  const auto& recipient = message.recipients[index];
  const auto& copy = message.verdict.recipients[index];
  bool held = copy.action == smtp::Action::quarantine || copy.refused();
  bool forwarded = !recipient.sent_by.empty() || !recipient.forward.empty();
  return !held && !forwarded && copy.redirect.empty() && !recipient.onward.empty() && recipient.onward == message.recipients.front().onward;
}

// The one entry that it would be in the queue; nothing: it would be none, or several.
std::optional<store::Delivery> as_one_entry(const Judged& message, const std::string& hostname) {
  if (!message.verdict.journals.empty()) return std::nullopt;
  PlanAccounts accounts;
  for (std::size_t i = 0; i < message.recipients.size(); ++i) {
    if (!goes_along(message, i)) return std::nullopt;
    const auto& recipient = message.recipients[i];
    accounts.recipients.push_back(0);
    accounts.redirects.push_back(0);
    accounts.onward.push_back({recipient.onward, recipient.address, recipient.confirmed ? recipient.account : "", recipient.notify, recipient.orcpt});
  }
  auto delivery = plan(message, accounts, hostname);
  bool one = delivery.items.size() == 1 && delivery.items[0].targets.empty() && delivery.items[0].onward.size() == 1;
  if (!one) return std::nullopt;
  return delivery;
}

void note(const Judged& message, const Pending& who, const Outcome& outcome, const std::string& host) {
  std::string event = outcome.accepted() ? "through.sent" : "through.refused";
  log::info(event, {{"message", message.id}, {"to", who.address}, {"host", host}, {"reply", words_of(outcome)},
                    {"maybe_twice", outcome.maybe_delivered ? "yes" : "no"}});
}

}  // namespace

io::Task<HandedOn> hand_on(Deliverer& deliverer, Through& through, std::shared_ptr<Judged> message, std::string reply) {
  HandedOn out;
  // What our users send is counted, signed and kept in their Sent: that is deliver()'s.
  if (message->client.outgoing()) co_return out;
  auto route = message->recipients.empty() ? nullptr : through.route(message->recipients.front().onward);
  if (route == nullptr) co_return out;
  co_await deliverer.sign(*message);
  auto delivery = as_one_entry(*message, deliverer.hostname());
  if (!delivery) co_return out;
  auto& item = delivery->items.front();
  auto& onward = item.onward.front();
  auto state = decode_state(onward.state).value_or(QueueState());
  auto envelope = envelope_of(state);
  const std::string_view body[] = {onward.header_prefix, item.pieces.front().view()};
  auto tried = co_await through.send(route, envelope, body);
  if (tried.down) {
    out.end = HandedOn::End::refused;
    out.outcome = std::move(*tried.down);
    log::info("through.down", {{"message", message->id}, {"route", route->key}, {"what", words_of(out.outcome)}});
    co_return out;
  }
  state.last_attempt = Clock::system().now();
  state.attempts = 1;
  std::vector<Pending> left;
  std::vector<Fate> told;
  for (std::size_t i = 0; i < tried.outcomes.size(); ++i) {
    auto& who = state.recipients[i];
    const auto& outcome = tried.outcomes[i];
    note(*message, who, outcome, tried.hosts[i]);
    add_event(delivery->rows, message->id, attempt_event(outcome.accepted() ? "sent" : "deferred", who.address, outcome, tried.hosts[i]));
    if (!outcome.accepted()) {
      if (left.empty()) out.outcome = outcome;
      who.words = words_of(outcome);
      left.push_back(std::move(who));
    } else if (who.notify.success && !tried.reports[i] && may_be_told(state)) {
      told.push_back(relayed_for(std::move(who), outcome, tried.hosts[i]));
    }
  }
  if (left.size() == tried.outcomes.size()) {
    out.end = HandedOn::End::refused;
    co_return out;
  }
  bool complete = left.empty();
  state.recipients = std::move(left);
  auto stored = co_await deliverer.keep_rest(std::move(*delivery), message, std::move(state), std::move(told), std::move(reply));
  out.end = HandedOn::End::taken;
  if (stored.ok()) co_return out;
  // With nothing left over the host's word is as good as ours.  Else who sends it again makes a second one of what was
  // taken, and none is lost.
  log::error("through.not_stored", {{"message", message->id}, {"what", stored.text}});
  if (complete) co_return out;
  out.end = HandedOn::End::refused;
  out.outcome = Outcome::ours(Outcome::Kind::transient, smtp_client::Step::end, "4.3.0", "Not stored, try again later");
  co_return out;
}

}  // namespace postern::delivery
