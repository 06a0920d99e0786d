// DMARC records, DKIM key records and DKIM-Signature fields: all that is foreign text with tags in it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/dkim_key.h"
#include "filters/dkim_signature.h"
#include "filters/dmarc.h"
#include "gateway/base/check.h"

using namespace postern;
using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto record = parse_dmarc_record(text)) CHECK(record->percent >= 0 && record->percent <= 100);
  if (auto key = parse_dkim_key(text)) CHECK(key->revoked || (!key->record.empty() && key->record.size() <= 1023 && key->bits > 0));
  ParsedSignature signature = parse_dkim_signature(text, from_unix(1'764'000'000));
  CHECK(signature.well_formed == (signature.shown.result != DkimResult::permerror));
  CHECK(author_domains(text).domains.size() <= kMaxAuthorDomains);
  return 0;
}
