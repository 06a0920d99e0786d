#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// Numbers of binary formats, lowest octet first.  0 where the octets end before: a caller that must tell the
// difference asks for the size.
namespace postern::filters {

template <class Number>
constexpr Number little_endian(std::string_view octets, std::size_t at) {
  if (at > octets.size() || octets.size() - at < sizeof(Number)) return 0;
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) {
    value = static_cast<Number>(static_cast<std::uint64_t>(value) << 8 | static_cast<unsigned char>(octets[at + i]));
  }
  return value;
}

constexpr std::uint16_t u16_at(std::string_view octets, std::size_t at) { return little_endian<std::uint16_t>(octets, at); }
constexpr std::uint32_t u32_at(std::string_view octets, std::size_t at) { return little_endian<std::uint32_t>(octets, at); }
constexpr std::uint64_t u64_at(std::string_view octets, std::size_t at) { return little_endian<std::uint64_t>(octets, at); }

// A slice that may begin or end behind the end: what there is of it.
constexpr std::string_view slice(std::string_view octets, std::uint64_t at, std::uint64_t length) {
  if (at >= octets.size()) return {};
  return octets.substr(static_cast<std::size_t>(at), length > octets.size() ? std::string_view::npos : static_cast<std::size_t>(length));
}

}  // namespace postern::filters
