#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::admin {

// To standard output, and to standard error with "postern: " before it.
void print(std::string_view text);
void complain(std::string_view text);
// One JSON value on a line; octets that are no UTF-8 are replaced.
void print_json(const nlohmann::json& value);
// Rows as columns, the header first; numbers right-aligned, cells cut at 60 characters.
void print_table(const std::vector<std::string>& columns, const nlohmann::json& rows);

}  // namespace postern::admin
