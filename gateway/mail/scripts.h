#pragma once

#include <string>
#include <string_view>

// The alphabets of a name.  UTS 39 by ICU.  Any thread.
namespace postern::mail {

// Letters of alphabets that no language writes together, "p\u0430ypal" with a Cyrillic letter.  Latin letters go with
// Chinese, Japanese and Korean ones (UTS 39 5.2, highly restrictive).  `text` is UTF-8, at most 1 KiB of it is read.
bool mixes_scripts(std::string_view text);

// What a text looks like, as UTF-8: equal for texts that are hardly told apart (UTS 39 4).  "" when ICU cannot tell.
std::string skeleton(std::string_view text);

// Not all ASCII, and looks like a text that is.
bool imitates_ascii(std::string_view text);

}  // namespace postern::mail
