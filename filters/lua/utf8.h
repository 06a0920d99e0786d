#pragma once

#include <string>
#include <string_view>

// Texts of rules and mails may hold octets that are no UTF-8; what is written down may not.
namespace postern::filters::lua {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The length of the well-formed sequence that `text`, which is not empty, begins with; 0: there is none.
std::size_t utf8_length(std::string_view text);

// With U+FFFD for each octet that belongs to no character.
std::string well_formed(std::string_view text);

}  // namespace postern::filters::lua
