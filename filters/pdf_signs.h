#pragma once

#include <cstddef>
#include <string_view>

#include "filters/ole_signs.h"

namespace postern::filters {

constexpr std::size_t kMaxPdfObjects = 2'000'000;    // in the file and in object streams
constexpr std::size_t kMaxPdfUnpacked = 16 << 20;    // octets of object streams and embedded files together
constexpr std::size_t kMaxPdfStreams = 20'000;       // that are unpacked

// PDF (ISO 32000-1) without its cross-reference table, which files that mean harm get wrong on purpose: all names in the file
// and in its object streams are looked at, wherever they stand.  Names in escapes ("/J#61vaScript") are decoded, URIs are added to
// `links`, embedded files given to `inner`.
DocumentSigns pdf_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner);

}  // namespace postern::filters
