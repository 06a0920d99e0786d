#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What characters are to a reader's eye, by ranges of Unicode; enough to judge tricks with letters, no full property table.
namespace postern::filters {

enum class Script : std::uint8_t { none, latin, greek, cyrillic, armenian, hebrew, arabic, indic, thai, georgian, hangul, kana, han, other, count_ };

// The character at `at`, which moves behind it.  What is no UTF-8 is U+FFFD, one octet each.  `at` < text.size().
char32_t next_character(std::string_view text, std::size_t& at);

Script script_of(char32_t c);               // of letters; none for all else
inline bool is_letter(char32_t c) { return script_of(c) != Script::none; }
bool is_uppercase(char32_t c);              // of Latin, Greek, Cyrillic
bool is_mark(char32_t c);                   // combining marks of the letters above
// Characters that show nothing and have no place between the letters of one word: zero-width spaces and joiners, soft
// hyphens, fillers, tags, variation selectors behind letters.
bool is_invisible(char32_t c);
// Turns the direction of text: U+202A to U+202E, U+2066 to U+2069.
bool is_bidi_control(char32_t c);
// Letters and digits that only imitate others: mathematical, full width, enclosed, superscript.  0: it is none; else
// the ASCII letter or digit that is meant, in lower case.
char styled_as(char32_t c);
// Emoji, dingbats, arrows, boxes.
bool is_symbol(char32_t c);
// A letter of Greek, Cyrillic, Armenian or Cherokee that looks like a Latin one.  0: it is none; else that letter.
char looks_latin(char32_t c);

// What a text mixes, word by word.
struct Mixture {
  std::size_t words = 0;           // with two letters or more
  std::size_t mixed = 0;           // Latin letters and foreign ones that look like Latin ones, four letters together or more
  std::size_t disguised = 0;       // four letters or more, all foreign and all looking Latin, in a text without other letters of that alphabet
  std::size_t invisible = 0;       // characters
  std::size_t invisible_inside = 0;   // of these, between two letters
  std::size_t bidi = 0;
  std::size_t styled = 0;
  std::size_t symbols = 0;
  std::size_t letters = 0;
  std::size_t capitals = 0;
  std::size_t cased = 0;           // letters that have a case
};
Mixture mixture_of(std::string_view text);

}  // namespace postern::filters
