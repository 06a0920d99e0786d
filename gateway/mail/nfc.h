#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// Unicode normalisation form C: one spelling for what looks the same.  nullopt: not well-formed UTF-8.
std::optional<std::string> nfc(std::string_view utf8);

}  // namespace postern::mail
