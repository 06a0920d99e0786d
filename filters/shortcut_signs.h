#pragma once

#include <string_view>

#include "filters/ole_signs.h"

namespace postern::filters {

// Small files that lead elsewhere or start something: .lnk (MS-SHLLINK), .url, library and connector descriptions, desktop
// entries, web queries, SYLK and tables as text with formulas, calendars.  `kind` by file_kind().
DocumentSigns shortcut_signs(std::string_view octets, FileKind kind, FoundLinks& links);

}  // namespace postern::filters
