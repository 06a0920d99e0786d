// Manifests of backups: damaged ones are an Error, and what is read is written the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "gateway/backup/manifest.h"
#include "gateway/store/crc32c.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (!backup::decode_manifest(text)) {
    // With a checksum of its own, or nothing behind it would ever be looked at.
    auto sum = store::crc32c(0, text);
    char end[24];
    std::snprintf(end, sizeof end, "\ncrc32c %08x\n", sum);
    text += end;
  }
  auto manifest = backup::decode_manifest(text);
  if (!manifest) return 0;
  auto again = backup::decode_manifest(backup::encode(*manifest));
  if (!again || again->octets() != manifest->octets() || again->segments.size() != manifest->segments.size()) std::abort();
  for (const auto& file : manifest->rows) {
    if (file.name.find('/') != std::string::npos) std::abort();
  }
  return 0;
}
