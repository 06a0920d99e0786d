#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// The text of an HTML page, roughly as a reader sees it: tags dropped, blocks on lines of their own, white space joined,
// entities decoded, invisible hyphens and spaces removed; script, style and comments left out.  Text hidden by style
// stays: a mistake there must not hide from the rules what a reader sees.
//
// `html` is UTF-8; the result is valid UTF-8 of at most `limit` octets.  One pass, no recursion, no tree: a hostile page
// costs no more than its length.
std::string html_to_text(std::string_view html, std::size_t limit = static_cast<std::size_t>(-1));

// The character reference that `text` begins with ("&"), HTML 13.2.5.72: numbers, and the names that mail has.  nullopt: it
// is none, and the "&" stands for itself.  In an attribute "&copy=1" is none, 13.2.5.73.
struct CharacterReference {
  std::uint32_t character = 0;   // never a surrogate nor above U+10FFFF
  std::size_t length = 0;        // octets of `text`
};
std::optional<CharacterReference> character_reference(std::string_view text, bool in_attribute);

// Text of any kind so that it is no markup, neither in content nor inside quotes.
std::string html_escaped(std::string_view text);

}  // namespace postern::mail
