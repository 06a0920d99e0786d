#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "filters/scanner_engine.h"
#include "gateway/base/result.h"

// The program `postern scanner`: loads the signature database, then forks jailed scanners on
// request, so that they share its memory.  Started by Antivirus only.
namespace postern::filters {

struct ScannerOptions {
  int socket = -1;                  // --socket-fd: SOCK_SEQPACKET, to the gateway
  std::string database;             // --database: folder of signature files
  std::string scratch = "/tmp";     // --scratch: an existing folder for temporary files
  std::uint32_t milliseconds = 40'000;  // --milliseconds: for one message; what takes longer is not scanned
  bool allow_namespaces = true;     // --no-namespaces: confine by landlock (for tests)
  bool allow_landlock = true;       // --no-landlock
};

// The arguments behind "scanner", and back.  The error names the argument.
std::vector<std::string> scanner_arguments(const ScannerOptions& options);
Result<ScannerOptions> parse_scanner_arguments(std::span<const std::string> arguments);

// Serves until the gateway closes the socket or dies; the exit status.  Single-threaded.
int scanner_main(const ScannerOptions& options);

}  // namespace postern::filters
