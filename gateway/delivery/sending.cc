// One message of the queue: read, sent, and what came of it written down.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/queue.h"
#include "gateway/delivery/trace.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::Outcome;
using Kind = Outcome::Kind;

constexpr auto kUnreadable = 10min;          // until an entry that cannot be read is tried again
constexpr std::uint64_t kMostInMemory = 256ULL << 20;

Time now() { return Clock::system().now(); }

std::string_view word_of(mail::DsnRecipient::Action action) {
  using Action = mail::DsnRecipient::Action;
  switch (action) {
    case Action::failed: return "failed";
    case Action::delayed: return "delayed";
    case Action::relayed: return "relayed";
    case Action::delivered: return "delivered";
    case Action::expanded: return "expanded";
  }
  return "failed";
}

// Who hears of what became of the message: the reports are the items of the delivery that bear other ids.
void trace_fates(store::Delivery& delivery, const std::string& id, const std::vector<Fate>& fates) {
  for (const auto& fate : fates) {
    store::TraceEvent event;
    event.kind = "reported";
    event.fields = {{"to", fate.who.address}, {"what", std::string(word_of(fate.action))}, {"status", fate.status}, {"why", fate.why}};
    for (const auto& item : delivery.items) {
      if (item.id != id) event.fields.emplace_back("by", item.id);
      else event.fields.emplace_back("held", "yes");
    }
    add_event(delivery.rows, id, event);
  }
}

}  // namespace

// The entry, if it is to be sent now; else `again` says when to come back, if at all.
io::Task<std::optional<store::QueueEntry>> Queue::read(store::QueueId id, std::optional<Time>& again) {
  auto entry = co_await parts_.store.queue_entry(id);
  if (!entry) {
    log::error("queue.read", {{"entry", std::to_string(id)}, {"what", entry.error().text}});
    again = now() + kUnreadable;
    co_return std::nullopt;
  }
  if (!*entry || (*entry)->held) co_return std::nullopt;
  if ((*entry)->due > now() + 1s) {   // changed by the operator
    again = (*entry)->due;
    co_return std::nullopt;
  }
  co_return std::move(**entry);
}

io::Task<void> Queue::deliver(Site& site, Line& line, store::QueueId id) {
  std::optional<Time> again;
  auto entry = co_await read(id, again);
  if (!entry) {
    finish(id, again);
    co_return;
  }
  auto state = decode_state(entry->state);
  if (!state || state->recipients.empty()) {
    log::error("queue.damaged", {{"entry", std::to_string(id)}, {"message", entry->message_id}, {"what", "its envelope cannot be read; it is held"}});
    store::Delivery held;
    held.queue.emplace_back();
    held.queue.back().id = id;
    held.queue.back().held = true;
    co_await commit(std::move(held));
    finish(id, std::nullopt);
    co_return;
  }
  std::optional<Time> due;
  directory::Resolution home;
  bool of_user = !site.route->lists && !site.route->own && entry->destination.find('@') != std::string::npos;
  if (of_user) home = parts_.directory.resolve(entry->destination);
  if (site.route->lists) due = co_await take_for_list(*entry, std::move(*state));
  else if (home.found()) due = co_await take_home(*entry, std::move(*state), home);
  else due = co_await attempt(site, line, *entry, std::move(*state));
  finish(id, due);
}

// The same for what goes to one of our mailing lists.
io::Task<std::optional<Time>> Queue::take_for_list(const Entry& entry, QueueState state) {
  auto share = co_await wait_for_memory(entry.record_octets);
  auto recipients = state;
  auto done = co_await lists_.take(entry, std::move(state));
  if (done.failed.empty() && done.due && index_.is_expired(entry.arrived, now())) done.failed = "it could not be passed on in the longest time in the queue";
  if (done.failed.empty()) co_return done.due;
  std::vector<Fate> fates;
  for (auto& who : recipients.recipients) {
    auto& fate = fates.emplace_back();
    fate.status = "5.7.0";
    fate.why = done.failed;
    who.words = fate.why;
    fate.who = std::move(who);
  }
  auto due = co_await give_up(entry, std::move(recipients), std::move(fates));
  co_return due;
}

// For a user who had hosts of his own, and has a mailbox here now.
io::Task<std::optional<Time>> Queue::take_home(const Entry& entry, QueueState state, const directory::Resolution& home) {
  auto share = co_await wait_for_memory(entry.record_octets);
  auto record = co_await parts_.store.record(entry);
  if (!record) {
    log::error("queue.record", {{"entry", std::to_string(entry.id)}, {"message", entry.message_id}, {"what", record.error().text}});
    co_return now() + kUnreadable;
  }
  store::Delivery delivery;
  auto item = item_with(entry.message_id, *record, entry.arrived);
  auto& target = item.targets.emplace_back();
  target.account = home.account;
  target.use = store::SpecialUse::inbox;
  target.header_prefix = "Return-Path: <" + state.sender + ">\r\nDelivered-To: " + home.account_address + "\r\n" + entry.header_prefix;
  delivery.items.push_back(std::move(item));
  std::vector<Fate> told;
  for (const auto& who : state.recipients) {
    Fate fate;
    fate.who = who;
    fate.action = mail::DsnRecipient::Action::delivered;
    fate.status = "2.0.0";
    if (may_be_told(state) && fate.is_wanted()) told.push_back(std::move(fate));
  }
  if (!told.empty()) reports_.add(delivery, state, {entry.arrived}, told, record->view());
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery, 1);
  auto& change = delivery.queue.emplace_back();
  change.id = entry.id;
  change.remove = true;
  store::Delivered done = co_await parts_.store.deliver(std::move(delivery));
  log::info("queue.home", {{"entry", std::to_string(entry.id)}, {"message", entry.message_id}, {"account", home.account_address}, {"stored", done.ok() ? "yes" : done.text}});
  if (!done.ok()) co_return now() + kUnreadable;
  look_at_new(done);
  co_return std::nullopt;
}

// Of all that is being sent so many octets are in memory together; a message that is larger goes alone.
io::Task<Queue::Share> Queue::wait_for_memory(std::uint64_t octets) {
  while (in_memory_ != 0 && in_memory_ + octets > kMostInMemory) co_await memory_left_.wait(in(60s));
  co_return Share(*this, octets);
}

// When it waits until; nothing: it is done.
io::Task<std::optional<Time>> Queue::attempt(Site& site, Line& line, const Entry& entry, QueueState state) {
  auto share = co_await wait_for_memory(entry.record_octets);
  auto record = co_await parts_.store.record(entry);
  if (!record) {
    log::error("queue.record", {{"entry", std::to_string(entry.id)}, {"message", entry.message_id}, {"what", record.error().text}});
    co_return now() + kUnreadable;
  }
  auto envelope = envelope_of(state);
  const std::string_view body[] = {entry.header_prefix, record->view()};
  auto tried = co_await send_along(parts_.connector, site.route, line, envelope, body);
  feed_back(site, tried);
  if (!tried.down) {
    auto due = co_await settle(entry, std::move(state), std::move(tried));
    co_return due;
  }
  // It says nothing about this message, whose time may be over all the same.
  auto expired = index_.expired(site, now());
  if (!expired.empty() && !expiring_) {
    expiring_ = true;
    parts_.loop.spawn(give_up_expired(std::move(expired), *tried.down), "queue.expired", [this] { expiring_ = false; });
  }
  if (!index_.is_expired(entry.arrived, now())) co_return entry.due;
  auto due = co_await give_up_late(entry, std::move(state), *tried.down);
  co_return due;
}

void Queue::feed_back(Site& site, const Attempt& attempt) {
  if (attempt.down) {
    auto words = words_of(*attempt.down);
    if (index_.is_down(site, now(), words, attempt.down->step == smtp_client::Step::auth)) {
      log::warning("queue.down", {{"route", site.route->key}, {"what", words}, {"waiting", std::to_string(site.waiting.size() + 1)},
                                  {"next", rfc3339(site.quiet_until)}});
    }
    set_trouble(site);
    return;
  }
  auto stumbled = [](const Outcome& outcome) {
    bool refused_early = outcome.kind == Kind::transient && outcome.step <= smtp_client::Step::mail;
    return refused_early || outcome.kind == Kind::lost || outcome.kind == Kind::timed_out || outcome.kind == Kind::protocol_error;
  };
  bool was_down = !site.words.empty();
  auto trouble = std::find_if(attempt.outcomes.begin(), attempt.outcomes.end(), stumbled);
  bool rests = false;
  if (trouble == attempt.outcomes.end()) index_.went_well(site);
  else rests = index_.went_badly(site, now(), words_of(*trouble));
  if (rests) {
    log::warning("queue.rests", {{"route", site.route->key}, {"what", words_of(*trouble)}, {"waiting", std::to_string(site.waiting.size() + 1)},
                                 {"next", rfc3339(site.quiet_until)}});
  }
  if (was_down || rests) set_trouble(site);
}

// Who is not there any more, and who is again.
io::Task<AbuseDesk::Noted> Queue::note_dead(const Entry& entry, const QueueState& state, const Attempt& attempt) {
  AbuseDesk::Noted noted;
  if (parts_.abuse == nullptr) co_return noted;
  std::vector<AbuseDesk::Refusal> dead;
  std::vector<std::string> alive;
  for (std::size_t i = 0; i < attempt.outcomes.size(); ++i) {
    const auto& outcome = attempt.outcomes[i];
    const auto& address = state.recipients[i].address;
    if (outcome.accepted()) alive.push_back(address);
    if (AbuseDesk::is_dead(outcome)) dead.push_back({address, words_of(outcome) + (attempt.hosts[i].empty() ? "" : " (" + attempt.hosts[i] + ")")});
  }
  // A commit of its own: that somebody is well again must not keep a full queue from draining.
  auto well = parts_.abuse->accepted(alive);
  auto written = store::Change();
  if (!well.empty()) written = co_await parts_.store.write(std::move(well));
  if (!written.ok()) log::warning("abuse.not_written", {{"message", entry.message_id}, {"what", written.text}});
  if (!dead.empty()) noted = co_await parts_.abuse->refused(entry.message_id, std::move(dead));
  co_return noted;
}

io::Task<std::optional<Time>> Queue::settle(const Entry& entry, QueueState state, Attempt attempt) {
  state.last_attempt = now();
  ++state.attempts;
  bool expired = index_.is_expired(entry.arrived, state.last_attempt);
  auto due = index_.retry_at(state.attempts, state.last_attempt);
  auto noted = co_await note_dead(entry, state, attempt);
  std::vector<Pending> left;
  std::vector<Fate> fates;
  std::vector<store::Row> trace;
  for (std::size_t i = 0; i < attempt.outcomes.size(); ++i) {
    auto& who = state.recipients[i];
    const auto& outcome = attempt.outcomes[i];
    std::string event = "queue.sent";
    if (outcome.accepted()) {
      ++figures_.sent;
      if (who.notify.success && !attempt.reports[i]) fates.push_back(relayed_for(who, outcome, attempt.hosts[i]));
    } else if (outcome.permanent() || expired) {
      event = "queue.failed";
      ++figures_.failed;
      fates.push_back(failed_for(who, outcome, attempt.hosts[i], !outcome.permanent()));
    } else {
      event = "queue.deferred";
      ++figures_.deferred;
      who.words = words_of(outcome);
      left.push_back(who);
    }
    add_event(trace, entry.message_id, attempt_event(std::string_view(event).substr(event.find('.') + 1), who.address, outcome, attempt.hosts[i]));
    log::info(event, {{"message", entry.message_id}, {"entry", std::to_string(entry.id)}, {"to", who.address}, {"host", attempt.hosts[i]},
                      {"reply", words_of(outcome)}, {"maybe_twice", outcome.maybe_delivered ? "yes" : "no"}});
  }
  state.recipients = std::move(left);
  auto next = co_await write_down(entry, std::move(state), std::move(fates), due, std::move(noted), std::move(trace));
  co_return next;
}

// One commit: who has it is out of the entry, who is to hear of it is told, who will not get it is told of or has it in his
// quarantine, the others wait.  When the disk takes no new text those who failed wait too, and are asked again; that
// others have it is then told to nobody.
io::Task<std::optional<Time>> Queue::write_down(const Entry& entry, QueueState state, std::vector<Fate> fates, std::optional<Time> due,
                                                AbuseDesk::Noted noted, std::vector<store::Row> trace) {
  auto change_of = [&] {
    store::QueueChange change;
    change.id = entry.id;
    change.remove = state.recipients.empty();
    if (change.remove) return change;
    change.due = due;
    change.state = encode(state);
    return change;
  };
  if (!fates.empty()) {
    store::Delivery delivery;
    delivery.queue.push_back(change_of());
    bool readable = co_await undeliverable_.add(delivery, entry, state, fates);
    for (const auto& row : trace) delivery.rows.push_back(row);
    trace_fates(delivery, entry.message_id, fates);
    delivery.rows.insert(delivery.rows.end(), noted.rows.begin(), noted.rows.end());
    delivery.items.insert(delivery.items.end(), noted.mail.begin(), noted.mail.end());
    if (readable && parts_.signer != nullptr) co_await parts_.signer->sign(delivery);
    store::Delivered done;
    if (readable) done = co_await parts_.store.deliver(std::move(delivery));
    if (readable && done.ok()) {
      look_at_new(done);
      co_return state.recipients.empty() ? std::nullopt : due;
    }
    if (parts_.abuse != nullptr) parts_.abuse->not_committed(noted);
    log::error("queue.not_told", {{"message", entry.message_id}, {"what", done.text}, {"action", "tried again"}});
    for (auto& each : fates) {
      if (each.action == mail::DsnRecipient::Action::failed) state.recipients.push_back(std::move(each.who));
    }
  }
  store::Delivery delivery;
  delivery.queue.push_back(change_of());
  delivery.rows = std::move(trace);
  co_await commit(std::move(delivery));
  co_return state.recipients.empty() ? std::nullopt : due;
}

// The reports that went into the queue with a commit of ours.
void Queue::look_at_new(const store::Delivered& done) {
  std::vector<store::QueueId> reports;
  for (const auto& ids : done.queued) reports.insert(reports.end(), ids.begin(), ids.end());
  if (!reports.empty()) parts_.loop.spawn(look(std::move(reports), false), "queue.look");
}

// Until the disk takes it: what was sent must not be sent again.  Without the trace rather than not at all: a full queue
// must drain on a full disk.
io::Task<void> Queue::commit(store::Delivery delivery) {
  for (auto wait = 100ms;; wait = std::min<std::chrono::milliseconds>(2 * wait, 30s)) {
    auto copy = delivery;
    auto done = co_await parts_.store.deliver(std::move(copy));
    if (done.ok()) co_return;
    delivery.rows.clear();
    log::error("queue.not_written", {{"what", done.text}});
    co_await io::sleep_until(in(wait));
  }
}

}  // namespace postern::delivery
