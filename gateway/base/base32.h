#pragma once

#include <optional>
#include <string>
#include <string_view>

// RFC 4648 6, without padding and in lower case: it stands in local parts and URLs, and survives who changes the case of either.
namespace postern {

std::string base32(std::string_view octets);
// In any case.  Strict: one text for each value; nothing for a length or spare bits that base32() does not write.
std::optional<std::string> from_base32(std::string_view text);

}  // namespace postern
