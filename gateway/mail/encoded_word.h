#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

// RFC 2047 encoded words to UTF-8, everything else as it is (8-bit text that is no UTF-8 is taken for
// windows-1252).  Lenient where senders err: words without white space between them, inside quotes, with
// spaces or 8-bit octets inside, without padding, a character split over two words, an unknown charset.
// The result is valid UTF-8 and at most three times as long as the input.
std::string decode_words(std::string_view text);

// UTF-8 text as the value of an unstructured field: as it is where it is ASCII, else encoded words in base 64, folded.
std::string encode_words(std::string_view text);

}  // namespace postern::mail
