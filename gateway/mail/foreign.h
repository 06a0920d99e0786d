#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Foreign words in messages that we write: they may be long and odd, but never more than words.
namespace postern::mail {

// RFC 5322 2.1.1: octets of a line without its end.
constexpr std::size_t kMaxLine = 998;
// Octets without a space that stand in one line; leaves room for a field's name or an indent.
constexpr std::size_t kMaxWord = 900;

// At most `limit` octets of UTF-8, not cut inside a character.
std::string_view shortened(std::string_view utf8, std::size_t limit);

// Valid UTF-8 with a space for every control character (C1 too: some terminals obey them), line ends among them.
std::string without_controls(std::string_view text);

// The same without white space around, at most `limit` octets.
std::string one_line(std::string_view text, std::size_t limit = kMaxWord);

// Appends the words of `text` to the line that `out` ends with, in lines of at most 78 octets where the words allow it and
// never of more than kMaxLine.  `indent` begins every line but the first, and the first if nothing stands in it yet.
// Runs of white space become one space.  The last line is left open.
void append_words(std::string& out, std::string_view text, std::string_view indent);

}  // namespace postern::mail
