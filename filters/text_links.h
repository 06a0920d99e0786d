#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Links in plain text, as mail programs make them clickable.
namespace postern::filters {

constexpr std::size_t kMaxTextCandidates = 20'000;   // places of a text that are looked at closer

struct TextLink {
  std::string url;           // as written
  std::size_t at = 0;        // octet of the text
  bool bare = false;         // no scheme and no "www.": "a.example/x"
};

// In the order of the text, at most `limit`, repeated ones as often as they come.  URLs of http, https and ftp; what begins
// with "www."; and hosts with a top level domain that there is ("bit.ly/x"), unless they are part of a mail address or a
// path, or look like the end of one sentence and the begin of the next ("it.In").  A link ends where a sentence goes on:
// white space, quotes, brackets that it did not open, closing punctuation, also of other scripts.
std::vector<TextLink> find_text_links(std::string_view text, std::size_t limit);

}  // namespace postern::filters
