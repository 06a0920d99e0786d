#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::filters {

// The instruction of a field, "DDEAUTO c:\\...": whether it starts a program; quotes and blanks around the word do not hide it.
bool is_dde_field(std::string_view instruction);

// A field of Word 97 in octets (0x13, then the instruction), in one or two octets a character: its beginning, for a human.
std::optional<std::string> dde_in_octets(std::string_view octets);

// A cell of a table as text (CSV, SYLK) that starts a program: =cmd|'/c calc'!A0, =DDE("cmd";...), @SUM(...)*cmd|...
std::optional<std::string> formula_in_text(std::string_view text);

}  // namespace postern::filters
