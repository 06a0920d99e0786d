#pragma once

#include <cstddef>
#include <string_view>

#include "filters/ole_signs.h"

namespace postern::filters {

constexpr std::size_t kMaxAttachedPage = 4 << 20;   // octets of a page that are looked at

// A page or SVG image that comes as an attachment, where scripts run: what builds a file out of the page itself ("smuggling"), what
// asks for a password, what goes elsewhere.  One pass over the words and one over the tags; `octets` in any charset, UTF-16 by its mark.
DocumentSigns html_signs(std::string_view octets, FileKind kind, FoundLinks& links);

// A script's words alone: for scripts that come without a page around them.
void add_script_signs(std::string_view text, Signs& signs);

}  // namespace postern::filters
