// RTF of any kind.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/rtf_signs.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FoundLinks links;
  std::size_t inner = 0;
  auto found = rtf_signs({reinterpret_cast<const char*>(data), size}, links, [&inner](const InnerFile& file) {
    ++inner;
    CHECK(postern::is_utf8(file.name));
  });
  CHECK(inner <= kMaxRtfObjects);
  for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  for (const auto& link : links.list()) CHECK(postern::is_utf8(link));
  return 0;
}
