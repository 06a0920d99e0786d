// A whole attachment of any kind: its kind, its name, archives in archives.  The first octets are the name up to a NUL.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/attachment_names.h"
#include "filters/attachment_signs.h"
#include "filters/zip_directory.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  std::string name;
  if (auto end = octets.substr(0, 64).find('\0'); end != std::string_view::npos) {
    name = octets.substr(0, end);
    octets.remove_prefix(end + 1);
  }
  AttachmentLimits limits;
  limits.archives.octets = 1 << 20;
  limits.archives.members = 100;
  limits.archives.libarchive = false;   // has a target of its own
  limits.members = 20;
  auto found = attachment_report({octets, "application/octet-stream", {name}}, limits);
  CHECK(found.members.size() <= 20);
  for (const auto& member : found.members) CHECK(postern::is_utf8(member.name) && member.depth <= limits.depth);
  for (const auto& seen : found.signs.list()) CHECK(postern::is_utf8(seen.detail));
  CHECK(postern::is_utf8(found.problem));
  auto zip = zip_directory(octets);
  CHECK(zip.entries.size() <= kMaxZipEntries);
  for (const auto& entry : zip.entries) CHECK(postern::is_utf8(entry.name) && zip_content(octets, entry, 100).octets.size() <= 100);
  return 0;
}
