#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/backup/folder.h"
#include "gateway/store/frozen.h"

namespace postern::backup {

// What is copied: a frozen store, as who holds it tells.
struct Source {
  std::string rows;
  std::vector<store::Frozen::Segment> segments;
  Time moment{};
  std::string hostname;
  std::string version;              // of the program
  std::function<Status()> still;    // asked when all is copied: an Error if it was not frozen all the while
};

struct Made {
  std::string generation;
  std::uint64_t octets = 0;         // of the whole backup
  std::uint64_t new_octets = 0;     // that were not there yet
  std::size_t segments = 0, new_segments = 0;
  bool linked = false;              // at least one file is the store's own, under a second name
};

// Tells how far it is: octets that are done, of so many.
using Progress = std::function<void(std::uint64_t done, std::uint64_t whole)>;

// Makes a backup in a folder opened to write.  Only what is not there yet is read and written; until it is complete, and
// durable, nothing looks like a backup.  Blocks.
Result<Made> make(store::Files& files, Folder& folder, const Source& source, const Progress& progress);

}  // namespace postern::backup
