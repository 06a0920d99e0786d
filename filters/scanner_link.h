#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filters/scanner_child.h"
#include "filters/scanner_wire.h"
#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/child.h"
#include "gateway/io/packets.h"
#include "gateway/io/task.h"

// The gateway's ends of the loader and of one scanner.  All of it on one loop.
namespace postern::filters {

// What came of handing a message to a scanner.
struct ScanOutcome {
  enum class Kind {
    answered,
    gone,     // it was dead before the message reached it: nothing is known about the message
    crashed,  // it died with the message in its hands
    hung,     // no answer in time
    refused   // the message could not be handed over (memory): try later
  } kind = Kind::gone;
  wire::State state = wire::State::error;
  std::string text;
  bool retire = false;
};

// One jailed scanner.  Killed with its link.
class ScannerLink {
 public:
  // The shared area is mapped and sealed; `socket` is our end.
  ScannerLink(io::PacketSocket socket, io::Fd area, void* mapped);
  ~ScannerLink();
  ScannerLink(const ScannerLink&) = delete;

  // One at a time.  `message`, `pieces` and `this` must outlive the task.  After `crashed` and
  // `hung` the link is of no more use.
  io::Task<ScanOutcome> scan(std::string_view message, const std::vector<wire::Piece>& pieces, Deadline deadline);
  // Waits until the scanner dies or talks out of turn, for links that are idle.  `this` must outlive the task.
  io::Task<void> broken();

  pid_t pid() const { return pid_; }
  const std::string& confinement() const { return confinement_; }

 private:
  friend class Loader;
  io::Task<ScanOutcome> exchange(std::string request, io::Fd memory, Deadline deadline);

  io::PacketSocket socket_;
  io::Fd area_;
  char* mapped_;
  io::Fd pidfd_;
  pid_t pid_ = -1;
  std::string confinement_;
  std::uint64_t last_id_ = 0;
};

// The process that holds a database.  Ends with its object, and its scanners with it.
class Loader {
 public:
  // Starts `command` + arguments and waits until the database is loaded.
  static io::Task<Result<std::shared_ptr<Loader>>> start(std::vector<std::string> command, ScannerOptions options, Deadline deadline);

  // A new scanner in its jail; one call after another.  A loader that does not answer by the deadline is killed.
  // `this` must outlive the task.
  io::Task<Result<std::unique_ptr<ScannerLink>>> spawn(Deadline deadline);
  // `this` must outlive the task.
  io::Task<io::ChildEnd> ended(Deadline deadline) { return child_.ended(deadline); }

  unsigned signatures() const { return hello_.signatures; }
  std::int64_t database_time() const { return hello_.database_time; }
  pid_t pid() const { return child_.pid(); }

  Loader(io::Child child, io::PacketSocket socket) : child_(std::move(child)), socket_(std::move(socket)) {}

 private:
  io::Task<Result<std::unique_ptr<ScannerLink>>> ask_for_scanner(std::unique_ptr<ScannerLink> link, io::PacketSocket theirs,
                                                                 Deadline deadline);
  io::Child child_;
  io::PacketSocket socket_;
  wire::Hello hello_;
  std::uint64_t last_id_ = 0;
};

}  // namespace postern::filters
