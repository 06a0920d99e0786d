#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// What one letter of hexadecimal or base64 text stands for; RFC 4648 4 and 8.
namespace postern {

// -1 when it is no digit.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

constexpr std::string_view kBase64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNotBase64 = 255;

// By octet; "=" is no letter.
inline constexpr auto kBase64Values = [] {
  std::array<std::uint8_t, 256> table{};
  for (auto& value : table) value = kNotBase64;
  for (std::size_t i = 0; i < kBase64Alphabet.size(); ++i) {
    table[static_cast<unsigned char>(kBase64Alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}();
constexpr std::uint32_t base64_value(char c) { return kBase64Values[static_cast<unsigned char>(c)]; }

}  // namespace postern
