#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace postern::filters {

// A key that strangers do not know; all who share hashes share it.
struct HashKey {
  std::uint64_t first = 0, second = 0;
};

// SipHash-2-4 with 128 bits: whoever lacks the key cannot make two octet strings meet.  Aumasson, Bernstein 2012.
std::array<std::uint64_t, 2> siphash(std::string_view octets, const HashKey& key);

}  // namespace postern::filters
