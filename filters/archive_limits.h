#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

// Looks into archives before ClamAV does, which lets a bomb pass as clean.  Foreign octets go
// through libarchive here: to be called in the scanner's jail only (and by tests).
namespace postern::filters {

struct ArchiveLimits {
  std::uint64_t expanded_octets = 150ULL << 20;  // of one part, all levels together
  std::uint64_t entries = 10'000;                // all levels together
  int depth = 16;                                // archives in archives
  std::chrono::milliseconds time{10'000};
};

struct ArchiveReport {
  enum class State {
    no_archive,
    within,      // everything that could be read is within the limits
    exceeded     // must not be called scanned
  } state = State::no_archive;
  std::string problem;     // exceeded: which limit, in words
  bool encrypted = false;  // something inside cannot be looked at without a password
};

// Time and memory are bounded by `limits` (memory: about expanded_octets).  A damaged archive is
// "within": ClamAV looks at what is there.
ArchiveReport examine_archive(std::string_view octets, const ArchiveLimits& limits);

}  // namespace postern::filters
