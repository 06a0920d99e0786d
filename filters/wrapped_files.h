#pragma once

#include <cstddef>
#include <string_view>

#include "filters/ole_signs.h"

namespace postern::filters {

constexpr std::size_t kMaxWrappedFiles = 200;

// Files inside a OneNote section (MS-ONESTORE 2.6.13: FileDataStoreObject, found by its GUID, wherever it stands), given to `inner`.
DocumentSigns onenote_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner);

// Attachments inside winmail.dat (MS-OXTNEF 2.1.3), with their names.
DocumentSigns tnef_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner);

}  // namespace postern::filters
