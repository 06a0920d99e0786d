#pragma once

#include <cstdint>
#include <string_view>

namespace postern::filters {

// FNV-1a with 64 bits: tells texts apart, protects against nothing.  `state`: of what came before.
constexpr std::uint64_t kFnvBegin = 0xcbf29ce484222325ULL;
constexpr std::uint64_t fnv(std::string_view text, std::uint64_t state = kFnvBegin) {
  for (char c : text) {
    state ^= static_cast<unsigned char>(c);
    state *= 0x100000001b3ULL;
  }
  return state;
}

}  // namespace postern::filters
