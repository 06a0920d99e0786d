// The checksum of body records.  Three octets a cycle by SSE 4.2, a table elsewhere.
#include "gateway/store/crc32c.h"

#include <array>
#include <cstring>

namespace postern::store {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0);
    table[i] = value;
  }
  return table;
}
constexpr auto kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc, std::string_view octets) {
  std::uint64_t sum = static_cast<std::uint32_t>(~crc);
  const char* at = octets.data();
  std::size_t left = octets.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    sum = __builtin_ia32_crc32di(sum, word);
  }
  auto small = static_cast<std::uint32_t>(sum);
  for (; left > 0; --left, ++at) small = __builtin_ia32_crc32qi(small, static_cast<unsigned char>(*at));
  return ~small;
}
#endif

}  // namespace

std::uint32_t detail::crc32c_by_table(std::uint32_t crc, std::string_view octets) {
  std::uint32_t sum = ~crc;
  for (char c : octets) sum = (sum >> 8) ^ kTable[(sum ^ static_cast<unsigned char>(c)) & 0xff];
  return ~sum;
}

std::uint32_t crc32c(std::uint32_t crc, std::string_view octets) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(crc, octets);
#endif
  return detail::crc32c_by_table(crc, octets);
}

}  // namespace postern::store
