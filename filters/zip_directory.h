#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/inflate.h"

// A zip by its central directory, checked against its local headers (PKWARE APPNOTE 4.3).  Own code because Office
// documents must be read in microseconds, and because libarchive does not tell where the two differ.
namespace postern::filters {

constexpr std::size_t kMaxZipEntries = 10'000;

struct ZipEntry {
  std::string name;               // UTF-8; as the central directory has it
  std::uint16_t flags = 0;
  std::uint16_t method = 0;       // 0 stored, 8 deflated, 99 AES
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t size = 0;         // as declared
  std::uint64_t content = 0;      // offset of its packed octets; meaningless when !readable
  bool readable = false;          // its local header is where it should be
  std::uint32_t mode = 0;         // Unix mode when it has one

  bool encrypted() const { return (flags & 0x41) != 0 || method == 99; }
  bool directory() const { return name.ends_with('/') || name.ends_with('\\'); }
  bool link() const { return (mode & 0170000) == 0120000; }
};

struct ZipDirectory {
  bool found = false;              // there is an end record and a directory
  std::vector<ZipEntry> entries;   // at most kMaxZipEntries
  std::uint64_t prefix = 0;        // octets before the first local header that is named: a program, or rubbish
  bool truncated = false;          // more entries than are read
  bool names_encrypted = false;
  bool overlapping = false;        // entries share octets: a bomb
  std::string confusion;           // "" or why another program may see other files, in words
  std::string damage;              // "" or what does not hold
};

ZipDirectory zip_directory(std::string_view octets);

// The content of an entry, at most `limit` octets.  State::damaged for what is encrypted or packed otherwise than stored and deflated.
Inflated zip_content(std::string_view octets, const ZipEntry& entry, std::size_t limit);

}  // namespace postern::filters
