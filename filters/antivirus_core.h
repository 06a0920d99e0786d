#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "filters/antivirus.h"
#include "filters/scanner_link.h"
#include "gateway/io/signal.h"

// The inside of Antivirus: everything here runs on its home loop but state(), count_error() and Waiting's ends.
namespace postern::filters {

// One message in the queue or in a scanner's hands, and the task that waits for it on its own loop.
class Waiting {
 public:
  Waiting(ScanJob scan_job, io::Loop& loop) : job(std::move(scan_job)), loop_(loop) {}

  // From the home loop; the waiter hears of it on a turn of its own loop, if it is still there.
  static void finish(const std::shared_ptr<Waiting>& self, Virus virus);
  // From the waiter's loop, when it stops waiting: its loop may be gone afterwards.
  void abandon();
  bool abandoned() const;

  ScanJob job;
  int crashes = 0;  // scanners that it has cost
  int moves = 0;    // scanners that were dead before they got it
  io::Promised<Virus> result;  // on the waiter's loop only

 private:
  mutable std::mutex mutex_;
  bool abandoned_ = false;
  io::Loop& loop_;
};

class Antivirus::Core : public std::enable_shared_from_this<Antivirus::Core> {
 public:
  Core(io::Loop& home, AntivirusOptions options);

  void start();
  void stop();
  void submit(std::shared_ptr<Waiting> waiting);
  AntivirusState state() const;
  void count_error();
  // Why nothing came by the deadline.
  std::string reason_for_waiting() const;

  io::Loop& home() { return home_; }
  const AntivirusOptions& options() const { return options_; }

 private:
  using Self = std::shared_ptr<Core>;
  struct Loaded {
    std::shared_ptr<Loader> loader;
    std::unique_ptr<ScannerLink> scanner;  // has passed the self-test
  };
  struct Slot {
    std::size_t index = 0;
    std::unique_ptr<ScannerLink> link;
    std::shared_ptr<Loader> from;
    std::chrono::milliseconds pause{};
    Deadline retry_at{};
  };

  // --- databases (antivirus_core.cc); `self` keeps the core while the task runs
  static io::Task<void> supervise(Self self);
  io::Task<void> look_after_database();
  io::Task<void> load_database(std::string fingerprint);
  io::Task<Result<std::shared_ptr<Loaded>>> load();
  io::Task<Result<std::unique_ptr<ScannerLink>>> tested_scanner(Loader& loader);
  io::Task<void> wait_for_change(std::chrono::milliseconds most);
  static io::Task<void> test_hourly(Self self);
  void accept(Loaded& loaded, const std::string& fingerprint);
  void refuse(const std::string& problem, const std::string& fingerprint);

  // --- scanners (antivirus_pool.cc)
  static io::Task<void> run_slot(Self self, std::size_t index);
  io::Task<bool> fill(Slot& slot);
  io::Task<void> serve(Slot& slot, std::shared_ptr<Waiting> waiting);
  io::Task<void> wait_for_work(Slot& slot);
  void settle(Slot& slot, const std::shared_ptr<Waiting>& waiting, const ScanOutcome& outcome);
  void lost(Slot& slot, const std::shared_ptr<Waiting>& waiting, const ScanOutcome& outcome);
  std::shared_ptr<Waiting> next();
  void refuse_queue(const std::string& problem);
  void drop(Slot& slot);
  void show_slots();
  void no_scanner(const Slot& slot, const std::string& why);

  template <class Change>
  void change_state(Change change) {
    std::lock_guard lock(mutex_);
    change(state_);
  }

  io::Loop& home_;
  AntivirusOptions options_;
  std::vector<io::Loop::TaskId> tasks_;

  std::deque<std::shared_ptr<Waiting>> queue_;
  std::uint64_t queued_octets_ = 0;
  io::Signal work_;                       // a message came, or the database changed
  std::vector<pid_t> pids_;               // by slot; 0: none
  std::shared_ptr<Loader> current_;
  std::unique_ptr<ScannerLink> spare_;    // the tested scanner of current_, for the first slot that asks
  bool spawning_ = false;                 // one at a time, so that a new database takes over one by one
  std::string loaded_fingerprint_;
  std::string refused_fingerprint_;
  bool refused_ = false;                  // the last load failed
  Deadline next_load_{};                  // not before this, unless the folder changes
  std::string seen_fingerprint_;
  bool reload_wanted_ = false;
  io::Signal reload_;
  std::chrono::milliseconds load_pause_{};

  mutable std::mutex mutex_;
  AntivirusState state_;
};

// A small mail with the EICAR test file as an attachment, for self-tests.
ScanJob eicar_job();
std::vector<wire::Piece> pieces_for(const ScanJob& job, bool mail_parser);

}  // namespace postern::filters
