#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What the words of a text are made of.  ICU's break iterator finds the same ends of words in nearly twice the time
// (tests/bench/bayes), and knows neither disguises nor classes.  Good enough to tell mails apart, not to break lines.
namespace postern::filters {

enum class Letter : std::uint8_t {
  other,       // white space, punctuation, symbols
  letter,      // of a script that parts words by spaces, and its marks
  unspaced,    // Han, kana, Thai, Lao, Khmer, Burmese: no spaces between words
  digit,       // ASCII and fullwidth digits
  picture,     // emoji and dingbats
  invisible,   // has no width: zero-width space and joiners, soft hyphen, marks of direction
};

Letter letter_class(char32_t c);

// Lower case of Latin, Greek, Cyrillic and Armenian letters; fullwidth forms as their ASCII ones.  Everything else stays.
char32_t lower_letter(char32_t c);

// The ASCII letter that a letter of another script looks like (Cyrillic, Greek), or 0.  `c` in lower case.
char look_alike(char32_t c);

// The character at `at`, which is moved behind it.  An octet that begins no well-formed character is U+FFFD (`other`)
// and one octet long.  `at` < text.size().
char32_t take_character(std::string_view text, std::size_t& at);

}  // namespace postern::filters
