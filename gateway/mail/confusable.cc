// Skeletons of names by ICU's spoof checker.  UTS 39 4.
#include "gateway/mail/confusable.h"

#include <unicode/uchar.h>
#include <unicode/uspoof.h>
#include <unicode/utf8.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::mail {

namespace {

// Never changed once it is open: ICU lets all threads read it then.
const USpoofChecker* checker() {
  static const USpoofChecker* const kChecker = [] {
    UErrorCode error = U_ZERO_ERROR;
    USpoofChecker* opened = uspoof_open(&error);
    return U_SUCCESS(error) ? opened : nullptr;
  }();
  return kChecker;
}

std::string_view beginning(std::string_view utf8) {
  if (utf8.size() <= kMaxConfusable) return utf8;
  std::size_t length = kMaxConfusable;
  while (length > 0 && (static_cast<unsigned char>(utf8[length]) & 0xc0) == 0x80) --length;
  return utf8.substr(0, length);
}

// UTS 39 4 drops what shows nothing; ICU 72 does not yet.
std::string without_ignorables(std::string_view utf8) {
  std::string out;
  for (std::size_t at = 0; at < utf8.size();) {
    std::size_t begin = at;
    UChar32 c = 0;
    U8_NEXT(utf8.data(), at, utf8.size(), c);
    if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) == 0) out += utf8.substr(begin, at - begin);
  }
  return out;
}

}  // namespace

std::string skeleton(std::string_view utf8) {
  // One character can become several, 18 in the worst case (U+FDFA).
  constexpr std::size_t kMost = kMaxConfusable * 18;
  CHECK(checker() != nullptr);
  std::string text = valid_utf8(beginning(utf8));
  if (!is_ascii(text)) text = without_ignorables(text);
  std::string out(text.size() * 2 + 64, '\0');
  for (;;) {
    UErrorCode error = U_ZERO_ERROR;
    auto length = uspoof_getSkeletonUTF8(checker(), 0, text.data(), static_cast<int32_t>(text.size()), out.data(), static_cast<int32_t>(out.size()), &error);
    if (error == U_BUFFER_OVERFLOW_ERROR && out.size() < kMost) {
      out.resize(static_cast<std::size_t>(length) + 1);
      continue;
    }
    if (U_FAILURE(error)) return ascii_lowered(text);
    out.resize(static_cast<std::size_t>(length));
    return ascii_lowered(out);
  }
}

}  // namespace postern::mail
