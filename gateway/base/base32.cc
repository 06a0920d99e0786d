// Base 32 for what must bear a change of case.
#include "gateway/base/base32.h"

#include <cstdint>

#include "gateway/base/text.h"

namespace postern {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";

}  // namespace

std::string base32(std::string_view octets) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (unsigned char octet : octets) {
    bits = bits << 8 | octet;
    count += 8;
    for (; count >= 5; count -= 5) out += kLetters[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kLetters[bits << (5 - count) & 31];
  return out;
}

std::optional<std::string> from_base32(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (char letter : text) {
    auto value = kLetters.find(ascii_lower(letter));
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  bool spare = count >= 5 || (bits & ((1U << count) - 1)) != 0;
  if (spare) return std::nullopt;
  return out;
}

}  // namespace postern
