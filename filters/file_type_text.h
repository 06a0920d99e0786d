#pragma once

#include <string_view>

#include "filters/file_type.h"

namespace postern::filters {

// Text formats by their first words: scripts, HTML, RTF, PDF (whose header may stand within the first 1024 octets,
// ISO 32000-1 Annex H), mail, calendar, shortcuts as text.  unknown: no text that we know.  UTF-16 with a byte order mark is read, too.
FileKind text_kind(std::string_view octets);

// No NUL and hardly a control character in the first 4 KiB.
bool is_plain_text(std::string_view octets);

}  // namespace postern::filters
