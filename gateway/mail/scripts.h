#pragma once

#include <string_view>

// The alphabets of a name.  UTS 39 by ICU.  Any thread.
namespace postern::mail {

// Letters of alphabets that no language writes together, "p\u0430ypal" with a Cyrillic letter.  Latin letters go with
// Chinese, Japanese and Korean ones (UTS 39 5.2, highly restrictive).  `text` is UTF-8, at most 1 KiB of it is read.
bool mixes_scripts(std::string_view text);

// Not all ASCII, and looks like a text that is.
bool imitates_ascii(std::string_view text);

}  // namespace postern::mail
