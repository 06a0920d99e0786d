#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"

namespace postern::backup {

struct RowFile {
  std::string name;
  std::uint64_t octets = 0;
  std::uint32_t sum = 0;         // crc32c
};

struct Segment {
  std::uint64_t number = 0;
  std::uint64_t octets = 0;
  std::uint32_t sum = 0;         // crc32c of so many octets
  std::int64_t changed = 0;      // when the store's file was last written, nanoseconds: with number and length it is the same file
  std::string file() const;      // its name in the folder of segments: a number may come again after a restore
};

// What one backup consists of.  It is written last: a backup without it is none.
struct Manifest {
  std::string version;           // of the program
  std::string hostname;
  Time moment{};                 // between two commits
  std::vector<RowFile> rows;
  std::vector<Segment> segments;

  std::uint64_t octets() const;
};

std::string encode(const Manifest& manifest);
// An Error says what is wrong with it; all numbers and names are checked.
Result<Manifest> decode_manifest(std::string_view text);

}  // namespace postern::backup
