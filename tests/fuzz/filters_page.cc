// Pages, images with scripts, shortcuts and texts of any kind.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/dde_field.h"
#include "filters/file_type.h"
#include "filters/html_signs.h"
#include "filters/shortcut_signs.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  FoundLinks links;
  for (FileKind kind : {FileKind::html, FileKind::svg}) {
    auto found = html_signs(octets, kind, links);
    for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  }
  for (FileKind kind : {FileKind::shell_link, FileKind::url_file, FileKind::library_file, FileKind::calendar, FileKind::sylk, file_kind(octets)}) {
    auto found = shortcut_signs(octets, kind, links);
    for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  }
  if (auto formula = formula_in_text(octets)) CHECK(postern::is_utf8(*formula));
  for (const auto& link : links.list()) CHECK(postern::is_utf8(link));
  return 0;
}
