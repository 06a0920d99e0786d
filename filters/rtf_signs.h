#pragma once

#include <string_view>

#include "filters/ole_signs.h"

namespace postern::filters {

constexpr std::size_t kMaxRtfObjects = 64;
constexpr std::size_t kMaxRtfObject = 8 << 20;      // octets of one object's data
constexpr std::size_t kMaxRtfData = 24 << 20;       // of all together

// Rich Text Format 1.9.1: embedded objects (given to `inner`), what loads itself, remote templates, and ways to mislead.
// One pass; links of fields and objects go to `links`.
DocumentSigns rtf_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner);

}  // namespace postern::filters
