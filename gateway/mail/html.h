#pragma once

#include <cstddef>
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

// Text of any kind so that it is no markup, neither in content nor inside quotes.
std::string html_escaped(std::string_view text);

}  // namespace postern::mail
