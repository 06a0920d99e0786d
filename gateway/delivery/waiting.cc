// Mail that waits for long: its senders are told once, and in the end it is given up.  RFC 3461 5.2.5, RFC 5321 4.5.4.1.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/queue.h"
#include "gateway/mail/headers.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::Outcome;

constexpr auto kTellAgain = 60s;   // when the disk took no report

Time now() { return Clock::system().now(); }

// Programs and lists do not wait for a word on a delay: it would only be one more answer to a machine.
bool is_automatic(std::string_view header) {
  mail::HeaderBlock block(header);
  if (block.find("List-Id") != nullptr) return true;
  if (const auto* field = block.find("Auto-Submitted")) return !istarts_with(trimmed(field->raw), "no");
  const auto* precedence = block.find("Precedence");
  if (precedence == nullptr) return false;
  auto value = trimmed(precedence->raw);
  return iequals(value, "bulk") || iequals(value, "list") || iequals(value, "junk");
}

}  // namespace

void Queue::notice_delays() {
  constexpr std::size_t kTogether = 500;
  if (telling_ || draining_ || in(0s) < tell_again_) return;
  auto late = index_.late(now(), kTogether);
  if (late.empty()) return;
  telling_ = true;
  parts_.loop.spawn(tell_of_delays(std::move(late)), "queue.delays", [this] {
    telling_ = false;
    changed_.notify();
  });
}

// Each is taken while it is told of, so that no attempt changes it meanwhile.
io::Task<void> Queue::tell_of_delays(std::vector<store::QueueId> ids) {
  for (auto id : ids) {
    if (draining_) co_return;
    if (!index_.take(id)) {   // is being sent: when it waits again
      index_.name_again(id);
      continue;
    }
    std::optional<Time> due;
    auto entry = co_await parts_.store.queue_entry(id);
    if (!entry) {
      log::error("queue.read", {{"entry", std::to_string(id)}, {"what", entry.error().text}});
      due = now() + kTellAgain;
    } else if (*entry && !(*entry)->held) {
      auto state = decode_state((*entry)->state);
      due = (*entry)->due;
      if (state) due = co_await tell_of_delay(**entry, std::move(*state));
    }
    finish(id, due);
  }
}

// When it waits until; nothing: it is gone.
io::Task<std::optional<Time>> Queue::tell_of_delay(const Entry& entry, QueueState state) {
  bool known = may_be_told(state);
  auto trouble = trouble_of({entry.destination, state.sender});
  std::vector<Fate> fates;
  bool unasked = false;   // somebody is told who did not ask for it
  for (auto& who : state.recipients) {
    auto fate = delayed_for(who, trouble);
    bool tell = known && !who.told_of_delay && fate.is_wanted();
    who.told_of_delay = true;
    if (!tell) continue;
    unasked = unasked || !who.notify.given;
    fates.push_back(std::move(fate));
  }
  if (fates.empty()) co_return entry.due;
  auto header = co_await parts_.store.read(entry, entry.header_prefix.size(), mail::kMaxReturnedHeader);
  if (!header) {
    log::error("queue.record", {{"entry", std::to_string(entry.id)}, {"what", header.error().text}});
    co_return entry.due;
  }
  if (unasked && is_automatic(*header)) {
    std::erase_if(fates, [](const Fate& fate) { return !fate.who.notify.given; });
    if (fates.empty()) co_return entry.due;
  }
  store::Delivery delivery;
  reports_.add(delivery, state, {entry.arrived, entry.arrived + index_.settings().expire}, fates, *header);
  auto& change = delivery.queue.emplace_back();
  change.id = entry.id;
  change.state = encode(state);
  change.required = true;
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery);
  auto done = co_await parts_.store.deliver(std::move(delivery));
  if (done.ok()) {
    log::info("queue.delay_told", {{"message", entry.message_id}, {"entry", std::to_string(entry.id)}, {"to", state.sender},
                                   {"recipients", std::to_string(fates.size())}});
    look_at_new(done);
    co_return entry.due;
  }
  if (!done.gone.empty()) co_return std::nullopt;   // the operator was faster
  log::error("queue.not_told", {{"message", entry.message_id}, {"what", done.text}, {"action", "tried again"}});
  index_.name_again(entry.id);
  tell_again_ = in(kTellAgain);
  co_return entry.due;
}

io::Task<std::optional<Time>> Queue::give_up(const Entry& entry, QueueState state, std::vector<Fate> fates) {
  for (const auto& fate : fates) {
    ++figures_.failed;
    log::info("queue.failed", {{"message", entry.message_id}, {"entry", std::to_string(entry.id)}, {"to", fate.who.address}, {"reply", fate.why}});
  }
  state.recipients.clear();
  auto due = index_.retry_at(state.attempts, now());
  auto next = co_await write_down(entry, std::move(state), std::move(fates), due);
  co_return next;
}

io::Task<std::optional<Time>> Queue::give_up_late(const Entry& entry, QueueState state, const Outcome& outcome) {
  std::vector<Fate> fates;
  for (auto& who : state.recipients) fates.push_back(failed_for(std::move(who), outcome, "", true));
  auto next = co_await give_up(entry, std::move(state), std::move(fates));
  co_return next;
}

io::Task<void> Queue::give_up_expired(std::vector<store::QueueId> ids, Outcome outcome) {
  for (auto id : ids) {
    if (draining_ || !index_.take(id)) continue;
    std::optional<Time> due;
    auto entry = co_await read(id, due);
    auto state = entry ? decode_state(entry->state) : std::nullopt;
    if (state) due = co_await give_up_late(*entry, std::move(*state), outcome);
    finish(id, due);
  }
}

io::Task<void> Queue::give_up_as_told(std::vector<store::QueueId> ids) {
  for (auto id : ids) {
    auto seen = co_await parts_.store.queue_entry(id);
    if (!seen || !*seen) continue;
    // One that is held is not in the index.
    index_.put(id, {(*seen)->destination, sender_of((*seen)->state)}, (*seen)->arrived, (*seen)->due);
    if (!index_.take(id)) {
      give_up_then_.insert(id);
      continue;
    }
    // Only now nobody changes it any more.
    std::optional<Time> due;
    auto entry = co_await parts_.store.queue_entry(id);
    bool there = entry && *entry;
    auto state = there ? decode_state((*entry)->state) : std::nullopt;
    if (!entry) {
      log::error("queue.read", {{"entry", std::to_string(id)}, {"what", entry.error().text}});
      due = (*seen)->due;
    } else if (state && !state->recipients.empty()) {
      auto trouble = trouble_of({(*entry)->destination, state->sender});
      std::vector<Fate> fates;
      for (auto& who : state->recipients) fates.push_back(unwanted_for(std::move(who), trouble));
      due = co_await give_up(**entry, std::move(*state), std::move(fates));
    } else if (there) {
      log::error("queue.damaged", {{"entry", std::to_string(id)}, {"what", "its envelope cannot be read, so nobody can be told; it stays"}});
    }
    finish(id, due);
  }
  changed_.notify();
}

}  // namespace postern::delivery
