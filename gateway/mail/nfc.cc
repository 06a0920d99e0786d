// Normalisation form C through ICU, for passwords and names of mailboxes (RFC 8265, RFC 5198).
#include "gateway/mail/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::mail {

namespace {

constexpr int kMaxMarks = 30;
constexpr std::string_view kJoiner = "\xcd\x8f";
constexpr UChar32 kFirstMark = 0x300;

}  // namespace

std::size_t stream_safe_length(std::string_view utf8, Ignorables ignorables) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* decomposition = icu::Normalizer2::getNFKDInstance(status);
  CHECK(U_SUCCESS(status));
  int marks = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    std::size_t begin = at;
    UChar32 c = 0;
    U8_NEXT(utf8.data(), at, utf8.size(), c);
    if (ignorables == Ignorables::vanish && u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0) continue;
    marks = c < kFirstMark || decomposition->hasBoundaryBefore(c) != 0 ? 0 : marks + 1;
    if (marks > kMaxMarks) return begin;
  }
  return utf8.size();
}

std::optional<std::string> nfc(std::string_view utf8) {
  if (is_ascii(utf8)) return std::string(utf8);
  if (!is_utf8(utf8) || utf8.size() > (1U << 30)) return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  const auto* normalizer = icu::Normalizer2::getNFCInstance(status);
  CHECK(U_SUCCESS(status));
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  while (!utf8.empty()) {
    if (!out.empty()) out += kJoiner;
    std::size_t length = stream_safe_length(utf8, Ignorables::stay);
    normalizer->normalizeUTF8(0, icu::StringPiece(utf8.data(), static_cast<int32_t>(length)), sink, nullptr, status);
    if (U_FAILURE(status)) return std::nullopt;
    utf8.remove_prefix(length);
  }
  return out;
}

}  // namespace postern::mail
