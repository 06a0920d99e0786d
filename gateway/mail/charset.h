#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Charsets to UTF-8 through ICU, the only place that includes <unicode/...>.  Converters are cached per thread.
namespace postern::mail {

// Whether a label names a charset that we can read: "utf-8", "cp1258", "iso-2022-jp", "viscii", ...
bool is_known_charset(std::string_view label);

// Always valid UTF-8, at most about `limit` octets (cut between characters).  Octets that mean nothing in the charset
// become U+FFFD.  With an empty, unknown or "us-ascii" label: UTF-8 if it is that, else windows-1252.
std::string to_utf8(std::string_view octets, std::string_view label, std::size_t limit = static_cast<std::size_t>(-1));

// `text` with every wrong octet replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

// For search: case and diacritics folded, compatibility forms unified ("Tiếng Việt" -> "tieng viet", "ﬁ" -> "fi").
// Letters of scripts that write vowels as marks keep them.
std::string search_form(std::string_view utf8);

}  // namespace postern::mail
