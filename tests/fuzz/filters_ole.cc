// Compound files of any kind: no crash, bounded content, whatever leads where.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/ole_file.h"
#include "filters/ole_signs.h"
#include "filters/vba.h"
#include "filters/wrapped_files.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  if (auto file = OleFile::open(octets)) {
    CHECK(file->entries().size() <= kMaxOleEntries);
    for (const auto& entry : file->entries()) CHECK(file->stream(entry, 10'000).size() <= 10'000 && postern::is_utf8(entry.name));
  }
  CHECK(decompress_vba(octets, 10'000).size() <= 10'000);
  FoundLinks links;
  for (auto* reader : {ole_signs, onenote_signs, tnef_signs}) {
    auto found = reader(octets, links, [](const InnerFile& file) { CHECK(postern::is_utf8(file.name)); });
    for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  }
  for (const auto& link : links.list()) CHECK(postern::is_utf8(link));
  return 0;
}
