// Normalisation form C through ICU, for passwords and names of mailboxes (RFC 8265, RFC 5198).
#include "gateway/mail/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::mail {

std::optional<std::string> nfc(std::string_view utf8) {
  if (is_ascii(utf8)) return std::string(utf8);
  if (!is_utf8(utf8) || utf8.size() > (1U << 30)) return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  const auto* normalizer = icu::Normalizer2::getNFCInstance(status);
  CHECK(U_SUCCESS(status));
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer->normalizeUTF8(0, icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())), sink, nullptr, status);
  if (U_FAILURE(status)) return std::nullopt;
  return out;
}

}  // namespace postern::mail
