#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// Unicode normalisation form C: one spelling for what looks the same.  nullopt: not well-formed UTF-8.
// The result is in the stream-safe text format (UAX #15 13): in a run of marks a joiner (U+034F) stands behind each 30.
std::optional<std::string> nfc(std::string_view utf8);

// Characters without width and meaning: case folding drops them, so that marks around them come together.
enum class Ignorables : std::uint8_t { stay, vanish };
// Octets of valid UTF-8 before the place where more than 30 marks stand in a row, or all.  More must never be given
// to ICU in one piece: it sorts marks by insertion, so a megabyte of them takes hours.
std::size_t stream_safe_length(std::string_view utf8, Ignorables ignorables);

}  // namespace postern::mail
