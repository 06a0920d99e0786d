// The pool: slots that each hold one scanner, take messages from the queue, and survive the scanner's end.
#include <algorithm>

#include "filters/antivirus_core.h"
#include "gateway/base/log.h"
#include "gateway/io/errors.h"
#include "gateway/io/together.h"

namespace postern::filters {
namespace {

constexpr int kMaxCrashes = 2;  // a message that costs two scanners is not tried a third time
constexpr int kMaxMoves = 10;

Virus failed(std::string problem) {
  Virus virus;
  virus.state = Virus::State::error;
  virus.problem = "not scanned: " + std::move(problem);
  return virus;
}

Virus virus_of(const ScanOutcome& outcome) {
  Virus virus;
  switch (outcome.state) {
    case wire::State::clean: virus.state = Virus::State::clean; break;
    case wire::State::found: virus.state = Virus::State::found; break;
    case wire::State::limit: virus.state = Virus::State::limit; break;
    default: return failed(outcome.text);
  }
  (virus.state == Virus::State::found ? virus.name : virus.problem) = outcome.text;
  return virus;
}

io::Task<void> wait_for_signal(io::Signal& signal, Deadline deadline) { co_await signal.wait(deadline); }

}  // namespace

// --- Waiting

void Waiting::finish(const std::shared_ptr<Waiting>& self, Virus virus) {
  std::lock_guard lock(self->mutex_);
  if (self->abandoned_) return;
  self->loop_.post([self, virus = std::move(virus)] { self->result.set(virus); });
}

void Waiting::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
}

bool Waiting::abandoned() const {
  std::lock_guard lock(mutex_);
  return abandoned_;
}

// --- the queue

void Antivirus::Core::submit(std::shared_ptr<Waiting> waiting) {
  auto present = state();
  if (present.phase == AntivirusState::Phase::broken) return Waiting::finish(waiting, failed(present.problem));
  std::uint64_t size = waiting->job.message.size();
  if (queue_.size() >= options_.queue_messages || (!queue_.empty() && queued_octets_ + size > options_.queue_octets)) {
    return Waiting::finish(waiting, failed("too many messages wait for a scanner"));
  }
  queued_octets_ += size;
  queue_.push_back(std::move(waiting));
  change_state([&](AntivirusState& s) { s.queued = queue_.size(); });
  work_.notify();
}

std::shared_ptr<Waiting> Antivirus::Core::next() {
  while (!queue_.empty()) {
    auto waiting = std::move(queue_.front());
    queue_.pop_front();
    queued_octets_ -= waiting->job.message.size();
    change_state([&](AntivirusState& s) { s.queued = queue_.size(); });
    if (!waiting->abandoned()) return waiting;
  }
  return nullptr;
}

void Antivirus::Core::refuse_queue(const std::string& problem) {
  while (auto waiting = next()) Waiting::finish(waiting, failed(problem));
}

// --- a slot

io::Task<void> Antivirus::Core::run_slot(Self self, std::size_t index) {
  Slot slot;
  slot.index = index;
  slot.pause = self->options_.first_pause;
  for (;;) {
    bool ready = co_await self->fill(slot);
    if (!ready) {
      // Without a database nothing but its coming helps; with one it is this slot's pause, or another's turn.
      Deadline until = self->current_ ? std::max(slot.retry_at, in(std::chrono::milliseconds(20))) : in(std::chrono::hours(1));
      co_await self->work_.wait(until);
      continue;
    }
    auto waiting = self->next();
    if (waiting) {
      co_await self->serve(slot, std::move(waiting));
    } else {
      co_await self->wait_for_work(slot);
    }
  }
}

// True: the slot holds a scanner.  A scanner of an older database is kept until its successor stands.
io::Task<bool> Antivirus::Core::fill(Slot& slot) {
  if (!current_) {
    drop(slot);
    co_return false;
  }
  bool up_to_date = slot.link && slot.from == current_;
  if (up_to_date || std::chrono::steady_clock::now() < slot.retry_at || spawning_) co_return slot.link != nullptr;
  auto loader = current_;
  std::unique_ptr<ScannerLink> fresh = std::move(spare_);
  if (!fresh) {
    spawning_ = true;
    auto spawned = co_await tested_scanner(*loader);
    spawning_ = false;
    work_.notify();  // other slots wait for their turn
    if (spawned) fresh = std::move(*spawned);
    if (!spawned) {
      slot.retry_at = in(slot.pause);
      slot.pause = std::min(slot.pause * 2, options_.last_pause);
      if (!slot.link) no_scanner(slot, spawned.error().text);
      co_return slot.link != nullptr;
    }
  }
  slot.link = std::move(fresh);
  slot.from = std::move(loader);
  slot.pause = options_.first_pause;
  slot.retry_at = Deadline{};
  pids_[slot.index] = slot.link->pid();
  show_slots();
  change_state([](AntivirusState& s) {
    if (s.phase != AntivirusState::Phase::broken) return;
    s.phase = AntivirusState::Phase::ready;
    s.problem.clear();
  });
  co_return true;
}

// A slot stays empty.  Once all are, messages need not wait for their deadline to hear of it.
void Antivirus::Core::no_scanner(const Slot& slot, const std::string& why) {
  log::error("antivirus.no_scanner", {{"slot", std::to_string(slot.index)}, {"why", why}});
  bool none = std::all_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid == 0; });
  if (!none || !current_) return;
  change_state([&](AntivirusState& s) {
    s.phase = AntivirusState::Phase::broken;
    s.problem = why;
  });
  refuse_queue(why);
}

// Until there is a message, a new database, or this scanner dies.
io::Task<void> Antivirus::Core::wait_for_work(Slot& slot) {
  auto signal = wait_for_signal(work_, in(std::chrono::hours(1)));
  auto death = slot.link->broken();
  std::size_t which = co_await io::first_of(std::move(signal), std::move(death));
  if (which == 0) co_return;
  log::warning("antivirus.scanner_ended", {{"pid", std::to_string(slot.link->pid())}, {"doing", "nothing"}});
  drop(slot);
  slot.retry_at = in(slot.pause);
  slot.pause = std::min(slot.pause * 2, options_.last_pause);
}

io::Task<void> Antivirus::Core::serve(Slot& slot, std::shared_ptr<Waiting> waiting) {
  auto pieces = pieces_for(waiting->job, options_.mail_parser);
  auto outcome = co_await slot.link->scan(waiting->job.message.view(), pieces, in(options_.scan_timeout));
  if (outcome.kind == ScanOutcome::Kind::answered) {
    settle(slot, waiting, outcome);
  } else {
    lost(slot, waiting, outcome);
  }
}

void Antivirus::Core::settle(Slot& slot, const std::shared_ptr<Waiting>& waiting, const ScanOutcome& outcome) {
  change_state([&](AntivirusState& s) {
    ++s.scans;
    if (outcome.state == wire::State::found) ++s.found;
  });
  Waiting::finish(waiting, virus_of(outcome));
  if (outcome.retire) drop(slot);
}

// The scanner is gone.  Its message goes to another one, at the head of the queue, unless it has
// cost two already.
void Antivirus::Core::lost(Slot& slot, const std::shared_ptr<Waiting>& waiting, const ScanOutcome& outcome) {
  if (outcome.kind == ScanOutcome::Kind::refused) {
    log::error("antivirus.no_memory", {{"why", outcome.text}});
    return Waiting::finish(waiting, failed(outcome.text));
  }
  bool hung = outcome.kind == ScanOutcome::Kind::hung;
  bool guilty = outcome.kind != ScanOutcome::Kind::gone;
  log::error(hung ? "antivirus.scanner_hung" : "antivirus.scanner_crashed",
             {{"pid", std::to_string(slot.link->pid())}, {"octets", std::to_string(waiting->job.message.size())}});
  drop(slot);
  if (guilty) change_state([](AntivirusState& s) { ++s.crashes; });
  waiting->crashes += guilty ? 1 : 0;
  waiting->moves += guilty ? 0 : 1;
  if (waiting->crashes >= kMaxCrashes) {
    // No retry helps: each would cost two scanners more.
    Virus virus;
    virus.state = Virus::State::limit;
    virus.problem = hung ? "two scanners hung or crashed on this message" : "two scanners crashed on this message";
    return Waiting::finish(waiting, std::move(virus));
  }
  if (waiting->moves >= kMaxMoves) return Waiting::finish(waiting, failed("every scanner was dead before it got the message"));
  queued_octets_ += waiting->job.message.size();
  queue_.push_front(waiting);
  work_.notify();
}

void Antivirus::Core::drop(Slot& slot) {
  slot.link.reset();
  slot.from.reset();
  pids_[slot.index] = 0;
  show_slots();
}

void Antivirus::Core::show_slots() {
  change_state([&](AntivirusState& s) {
    s.scanner_pids.clear();
    for (pid_t pid : pids_) {
      if (pid != 0) s.scanner_pids.push_back(pid);
    }
    s.scanners_alive = s.scanner_pids.size();
  });
}

}  // namespace postern::filters
