// PDF of any kind.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/pdf_signs.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FoundLinks links;
  auto found = pdf_signs({reinterpret_cast<const char*>(data), size}, links, [](const InnerFile&) {});
  for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  for (const auto& link : links.list()) CHECK(postern::is_utf8(link) && link.size() <= 3 * kMaxFoundLink);
  return 0;
}
