// Databases: load, test, take over, watch; and the hourly self-test.
#include "filters/antivirus_core.h"

#include <algorithm>

#include "filters/signature_folder.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/together.h"

namespace postern::filters {
namespace {

io::Task<void> wait_for_signal(io::Signal& signal, Deadline deadline) { co_await signal.wait(deadline); }

io::Task<void> wait_for_end(Loader& loader) {
  for (;;) {
    try {
      auto end = co_await loader.ended(in(std::chrono::hours(1)));
      log::error("antivirus.loader_ended", {{"pid", std::to_string(loader.pid())}, {"end", end.to_string()}});
      co_return;
    } catch (const io::TimedOut&) {
      // it lives
    }
  }
}

}  // namespace

ScanJob eicar_job() {
  // In two pieces, or scanners would take this program for the test file.
  std::string eicar = std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD") + "-ANTIVIRUS-TEST-FILE!$H+H*";
  std::string header =
      "From: <>\r\nSubject: self-test\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=eicar.com\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n";
  std::string body = base64(eicar) + "\r\n";
  ScanPart part;
  part.offset = header.size();
  part.length = body.size();
  part.encoding = mail::TransferEncoding::base64;
  part.name = "eicar.com";
  ScanJob job(Octets(header + body));
  job.parts.push_back(std::move(part));
  return job;
}

Antivirus::Core::Core(io::Loop& home, AntivirusOptions options) : home_(home), options_(std::move(options)) {
  if (options_.scanners == 0) options_.database.clear();
  load_pause_ = options_.first_pause;
  pids_.assign(options_.scanners, 0);
  if (!options_.database.empty()) state_.phase = AntivirusState::Phase::loading;
}

void Antivirus::Core::start() {
  if (options_.database.empty()) {
    log::warning("antivirus.off", {{"why", "by configuration"}});
    return;
  }
  auto self = shared_from_this();
  tasks_.push_back(home_.spawn(supervise(self), "antivirus"));
  tasks_.push_back(home_.spawn(test_hourly(self), "antivirus self-test"));
  for (std::size_t i = 0; i < options_.scanners; ++i) tasks_.push_back(home_.spawn(run_slot(self, i), "scanner"));
}

void Antivirus::Core::stop() {
  for (auto task : std::exchange(tasks_, {})) home_.cancel(task);
}

AntivirusState Antivirus::Core::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Antivirus::Core::count_error() {
  change_state([](AntivirusState& s) { ++s.errors; });
}

std::string Antivirus::Core::reason_for_waiting() const {
  auto present = state();
  if (present.phase == AntivirusState::Phase::loading) return "not scanned: the signature database is still being loaded";
  if (present.phase == AntivirusState::Phase::broken) return "not scanned: " + present.problem;
  return "not scanned: no scanner was done with it in time";
}

// --- watching

io::Task<void> Antivirus::Core::supervise(Self self) {
  for (;;) co_await self->look_after_database();
}

// One look at the folder and what follows from it.
io::Task<void> Antivirus::Core::look_after_database() {
  std::string present = signature_fingerprint(options_.database);
  bool settled = present == std::exchange(seen_fingerprint_, present);
  bool load = false;
  if (current_) {
    // It must stand still between two looks: it may be half copied.
    bool changed = settled && !present.empty() && present != loaded_fingerprint_ && present != refused_fingerprint_;
    load = changed || reload_wanted_;
  } else {
    load = !refused_ || present != refused_fingerprint_ || std::chrono::steady_clock::now() >= next_load_;
  }
  if (load) {
    reload_wanted_ = false;
    co_await load_database(present);
  }
  co_await wait_for_change(current_ ? options_.look_every : std::min(options_.look_every, load_pause_));
}

// Until it is time for the next look, the loader dies, or a self-test asks for a new one.
io::Task<void> Antivirus::Core::wait_for_change(std::chrono::milliseconds most) {
  auto loader = current_;
  auto pause = wait_for_signal(reload_, in(most));
  if (!loader) {
    co_await pause;
    co_return;
  }
  auto end = wait_for_end(*loader);
  std::size_t which = co_await io::first_of(std::move(pause), std::move(end));
  if (which == 0) co_return;
  // Its scanners died with it (PDEATHSIG); what they had goes back to the queue.
  current_.reset();
  spare_.reset();
  change_state([](AntivirusState& s) {
    s.phase = AntivirusState::Phase::loading;
    s.problem = "the process that holds the signature database ended";
  });
  work_.notify();
}

// --- loading

io::Task<void> Antivirus::Core::load_database(std::string fingerprint) {
  if (fingerprint.empty()) {
    refuse("no signature database in " + options_.database, fingerprint);
    co_return;
  }
  auto loaded = co_await load();
  if (loaded) {
    accept(**loaded, fingerprint);
  } else {
    refuse(loaded.error().text, fingerprint);
  }
}

// A loader and one scanner of it that found EICAR: nothing else takes over.
io::Task<Result<std::shared_ptr<Antivirus::Core::Loaded>>> Antivirus::Core::load() {
  ScannerOptions scanner_options;
  scanner_options.database = options_.database;
  scanner_options.scratch = options_.scratch;
  scanner_options.milliseconds = static_cast<std::uint32_t>(options_.scan_timeout.count() * 3 / 4);
  scanner_options.allow_namespaces = options_.allow_namespaces;
  scanner_options.allow_landlock = options_.allow_landlock;
  auto loaded = std::make_shared<Loaded>();
  auto loader = co_await Loader::start(options_.command, std::move(scanner_options), in(options_.load_timeout));
  if (!loader) co_return loader.error();
  loaded->loader = std::move(*loader);
  auto scanner = co_await tested_scanner(*loaded->loader);
  if (!scanner) co_return scanner.error();
  loaded->scanner = std::move(*scanner);
  co_return loaded;
}

io::Task<Result<std::unique_ptr<ScannerLink>>> Antivirus::Core::tested_scanner(Loader& loader) {
  auto spawned = co_await loader.spawn(in(options_.start_timeout));
  if (!spawned) co_return spawned.error();
  auto link = std::move(*spawned);
  ScanJob job = eicar_job();
  auto pieces = pieces_for(job, false);
  auto outcome = co_await link->scan(job.message.view(), pieces, in(options_.scan_timeout));
  if (outcome.kind != ScanOutcome::Kind::answered) co_return Error("the self-test failed: the scanner gave no answer");
  if (outcome.state != wire::State::found) {
    co_return Error("the self-test failed: EICAR was not found" + (outcome.text.empty() ? "" : ": " + outcome.text));
  }
  change_state([&](AntivirusState& s) { s.last_self_test = options_.clock->now(); });
  co_return link;
}

void Antivirus::Core::accept(Loaded& loaded, const std::string& fingerprint) {
  current_ = std::move(loaded.loader);
  spare_ = std::move(loaded.scanner);
  loaded_fingerprint_ = fingerprint;
  refused_fingerprint_.clear();
  refused_ = false;
  load_pause_ = options_.first_pause;
  change_state([&](AntivirusState& s) {
    s.phase = AntivirusState::Phase::ready;
    s.problem.clear();
    s.signatures = current_->signatures();
    s.database_time = from_unix(current_->database_time());
    s.confinement = spare_->confinement();
    ++s.loads;
  });
  log::info("antivirus.ready", {{"database", options_.database},
                                {"signatures", std::to_string(current_->signatures())},
                                {"made", rfc3339(from_unix(current_->database_time()))},
                                {"jail", spare_->confinement()}});
  work_.notify();
}

// An old database that still serves goes on serving.
void Antivirus::Core::refuse(const std::string& problem, const std::string& fingerprint) {
  auto before = state();
  refused_fingerprint_ = fingerprint;
  refused_ = true;
  next_load_ = in(load_pause_);
  load_pause_ = std::min(load_pause_ * 2, options_.last_pause);
  change_state([&](AntivirusState& s) {
    s.problem = problem;
    if (!current_) s.phase = AntivirusState::Phase::broken;
  });
  if (before.problem != problem || before.phase == AntivirusState::Phase::loading) {
    log::error("antivirus.not_loaded", {{"why", problem}, {"serving", current_ ? "the older database" : "nothing"}});
  }
  if (!current_) refuse_queue(problem);
}

// --- the hourly self-test, through the queue like any message

io::Task<void> Antivirus::Core::test_hourly(Self self) {
  for (;;) {
    co_await io::sleep_until(in(self->options_.self_test_every));
    if (self->state().phase != AntivirusState::Phase::ready) continue;
    auto waiting = std::make_shared<Waiting>(eicar_job(), self->home_);
    self->submit(waiting);
    bool found = false;
    try {
      const Virus* answer = co_await waiting->result.get(in(2 * self->options_.scan_timeout));
      found = answer->state == Virus::State::found;
    } catch (const io::TimedOut&) {
      found = false;
    }
    if (found) {
      self->change_state([&](AntivirusState& s) { s.last_self_test = self->options_.clock->now(); });
      continue;
    }
    if (self->state().phase != AntivirusState::Phase::ready) continue;
    log::error("antivirus.self_test_failed", {{"what", "EICAR was not found; all scanners are replaced"}});
    self->reload_wanted_ = true;
    self->reload_.notify();
  }
}

}  // namespace postern::filters
