#pragma once

#include <cstddef>
#include <string_view>

namespace postern::filters {

constexpr std::size_t kMaxLanguageText = 16 * 1024;   // octets that are looked at

// In which language a text is written.  Of texts in several the one with the most words counts.
struct Language {
  std::string_view code;   // ISO 639-1: en vi de fr es it pt nl pl tr sv id ru uk bg el he ar fa th ko ja zh hi; "" unknown
  double confidence = 0;   // 0 to 1: below 0.5 it is a guess; 0 with code ""
};

// By alphabet where that decides, else by the short words that every sentence has.  `text` is UTF-8, in any case.
// A text of fewer than three words, and one of names and numbers alone, is unknown.
Language language_of(std::string_view text);

}  // namespace postern::filters
