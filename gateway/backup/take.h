#pragma once

#include <cstdint>
#include <string>

#include "gateway/base/result.h"
#include "gateway/store/file.h"

namespace postern::backup {

struct Taken {
  std::uint32_t sum = 0;      // crc32c of the octets
  bool linked = false;        // no octet was written
};

enum class How { link, copy };   // link: where the file system can, else copy

// Puts the first `octets` of `from` at `to`, durable but for its name, and sums them.  Linked, the file may hold more.
// After an Error part of it may be at `to`.
Result<Taken> take(store::Files& files, const std::string& from, const std::string& to, std::uint64_t octets, How how);

// crc32c of the first `octets`; an Error also if there are fewer.
Result<std::uint32_t> sum_of(store::Files& files, const std::string& path, std::uint64_t octets);

}  // namespace postern::backup
