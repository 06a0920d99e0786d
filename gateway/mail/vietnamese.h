#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

// "viscii" (with "viscii1.1-1") and "tcvn" (with "tcvn5712-1").
bool is_vietnamese_charset(std::string_view label);

// In one of these charsets; marks of TCVN stand behind their letter and are not joined with it (that is NFC's work).
std::string vietnamese_to_utf8(std::string_view octets, std::string_view label);

}  // namespace postern::mail
