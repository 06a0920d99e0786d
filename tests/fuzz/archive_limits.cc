// libarchive behind our bounds: no crash, and no more time or memory than the limits say.
#include "filters/archive_limits.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  postern::filters::ArchiveLimits limits;
  limits.expanded_octets = 4 << 20;
  limits.entries = 500;
  limits.time = std::chrono::milliseconds(500);
  postern::filters::examine_archive({reinterpret_cast<const char*>(data), size}, limits);
  return 0;
}
