#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Words as people search for them: without case, marks and width, so that "HOA DON" finds "Hoá đơn".  Octets that are no
// UTF-8 separate words.
namespace postern::mail {

// Longer words are cut, in whole characters.
inline constexpr std::size_t kMaxFoldedWord = 24;   // octets
// No more of a text is looked at.
inline constexpr std::size_t kMaxFoldedText = 2048;   // octets

// The different words of `utf8` in order, at most `limit`.  A word is a run of letters and digits; in a script that is
// written without spaces each of its characters counts as a word.
std::vector<std::string> folded_words(std::string_view utf8, std::size_t limit);

// "Không có người dùng này" -> "Khong co nguoi dung nay": Vietnamese and other Latin letters without their marks, for where
// only ASCII may stand.  What has no ASCII letter behind its marks becomes '?'.
std::string without_marks(std::string_view utf8);

}  // namespace postern::mail
