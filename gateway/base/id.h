#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"

// What stands in the ids that new_id() gives: the number counts ticks of 16 microseconds since 1970 in its upper 48 bits,
// so ids sort by their time of making, as text and as numbers.
namespace postern {

inline constexpr std::size_t kIdLength = 13;

// 13 digits of Crockford's base 32, leading ones '0'.
std::string id_text(std::uint64_t number);
// Strict, and in capitals only: one text for each number; nothing for what is no id of ours.
std::optional<std::uint64_t> id_number(std::string_view id);
// As people copy it from a letter or a telephone: lower case, O for 0, I and L for 1, spaces around it.  Nothing: no id.
std::optional<std::string> id_as_meant(std::string_view text);

Time time_of_id(std::uint64_t number);   // to 16 microseconds, rounded down
// The least number that an id made at that time, or later, can have; 0 before 1970.
std::uint64_t first_id_at(Time time);

}  // namespace postern
