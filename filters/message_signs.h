#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/header_signs.h"
#include "filters/text_signs.h"

namespace postern::filters {

// All signs of one message, of its header and of its text, by their names.
struct MessageSigns {
  HeaderSigns header;
  TextSigns text;

  // nullopt: unknown, or there is no sign of that name.
  std::optional<double> value(std::string_view name) const;
  // For tests of rules.  False: there is no sign of that name.
  bool set(std::string_view name, double value);
};

// All that there are: those of the header first.
const std::vector<SignInfo>& all_signs();
// nullptr: no such sign.
const SignInfo* find_sign(std::string_view name);
constexpr bool is_number(SignKind kind) { return kind == SignKind::number || kind == SignKind::context_number; }

}  // namespace postern::filters
