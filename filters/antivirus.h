#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filters/facts.h"
#include "filters/scanner_child.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/io/loop.h"
#include "gateway/io/task.h"
#include "gateway/mail/mime.h"

// The gateway's side of virus scanning: a loader process per database, a pool of jailed scanners
// forked from it, a queue in front of them.
namespace postern::filters {

struct AntivirusOptions {
  std::string database;                                      // folder of signatures; "" switches scanning off
  std::size_t scanners = 2;                                  // 0 switches scanning off as well
  std::vector<std::string> command = {"/proc/self/exe", "scanner"};  // what runs scanner_main; its arguments are appended
  std::string scratch = "/tmp";                              // an existing folder; the scanners' own tmpfs is mounted over it
  bool mail_parser = false;                                  // ClamAV's own mail parser too: 3-7 times the cost
  bool allow_namespaces = true;                              // ScannerOptions
  bool allow_landlock = true;
  std::chrono::milliseconds look_every{5'000};               // at the folder, for a new database
  std::chrono::milliseconds load_timeout{600'000};           // the official database takes 10-30 s
  // For one message: after three quarters of it the scanner itself gives up, after the whole it counts as hanging.
  std::chrono::milliseconds scan_timeout{20'000};
  std::chrono::milliseconds start_timeout{60'000};           // of one scanner
  std::chrono::milliseconds self_test_every{3'600'000};
  std::chrono::milliseconds first_pause{200};                // before a restart; doubles up to last_pause
  std::chrono::milliseconds last_pause{30'000};
  std::size_t queue_messages = 1'000;
  std::uint64_t queue_octets = 512ULL << 20;
  const Clock* clock = &Clock::system();                     // only for the times in AntivirusState
};

struct AntivirusState {
  enum class Phase {
    off,      // by configuration
    loading,  // the first database is on its way; messages wait for it until their deadline
    ready,    // scanning, and the self-test passed
    broken    // nothing is scanned; `problem` says why
  } phase = Phase::off;
  std::string problem;             // also beside `ready`: a new database that does not load, say
  unsigned signatures = 0;
  Time database_time{};            // when the newest signature file was made; its age is a warning above 3 days
  Time last_self_test{};           // the last that passed
  std::string confinement;         // name(Confinement)
  std::size_t scanners_alive = 0;
  std::size_t queued = 0;
  std::uint64_t scans = 0;         // answered: clean, found or error by the scanner
  std::uint64_t found = 0;
  std::uint64_t errors = 0;        // all messages not scanned, whatever the reason
  std::uint64_t crashes = 0;       // scanners that died or hung in a scan
  std::uint64_t loads = 0;         // databases loaded
  std::vector<pid_t> scanner_pids;
};
std::string_view name(AntivirusState::Phase phase);

// One stretch of the message to look at.
struct ScanPart {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  mail::TransferEncoding encoding = mail::TransferEncoding::identity;
  std::string name;  // for the reader of an error
};

struct ScanJob {
  Octets message;
  std::vector<ScanPart> parts;
  bool parse_mail = false;  // let ClamAV's mail parser look as well
  ScanJob() = default;
  explicit ScanJob(Octets octets) : message(std::move(octets)) {}
};

// The whole message and each leaf of `table`, which must be that of the message.  A table that was
// cut at its limits makes ClamAV's own mail parser look at the message too.
ScanJob scan_job(Octets message, const mail::PartTable& table);

// Shared by all loops; its own work runs on `home`.  It must be destroyed before that loop, on that loop's
// thread or when the loop does not run, and after every loop that calls scan() has ended.
class Antivirus {
 public:
  Antivirus(io::Loop& home, AntivirusOptions options);
  ~Antivirus();
  Antivirus(const Antivirus&) = delete;

  // Starts loading; returns at once.
  void start();

  // On any loop.  Never throws: "no scanner", a scanner that crashed twice and a passed deadline
  // are State::error with the problem in words.  State::limit says what was exceeded: the next try would
  // end the same way.  State::clean may carry a remark in `problem` ("encrypted: letter.zip": nobody
  // could look into it).  `this` must outlive the task.
  io::Task<Virus> scan(ScanJob job, Deadline deadline);

  // From any thread.
  AntivirusState state() const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace postern::filters
