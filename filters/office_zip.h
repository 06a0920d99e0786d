#pragma once

#include <string_view>

#include "filters/ole_signs.h"

// Office Open XML (ECMA-376) and OpenDocument (OASIS ODF 1.2), which are zips of XML.
namespace postern::filters {

constexpr std::size_t kMaxOfficePart = 8 << 20;     // unpacked octets of one part that are looked at
constexpr std::size_t kMaxOfficeParts = 24 << 20;   // of all together

// Whether a zip is such a document, by the names in its directory; then what it really is, else FileKind::zip, jar or android_package.
FileKind office_kind(std::string_view zip);

// Macros, external templates and objects, DDE, ActiveX, embedded files (given to `inner`), hidden sheets; links to `links`.
DocumentSigns office_zip_signs(std::string_view zip, FoundLinks& links, const TakeInner& inner);

}  // namespace postern::filters
