// Mixed alphabets, and those that imitate ours.  UTS 39 by ICU.
#include "gateway/mail/scripts.h"

#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "gateway/base/text.h"
#include "gateway/mail/confusable.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxText = 1024;

bool east_asian(UScriptCode script) {
  return script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || script == USCRIPT_HANGUL ||
         script == USCRIPT_BOPOMOFO;
}

std::string_view cut(std::string_view text) {
  if (text.size() <= kMaxText) return text;
  std::size_t end = kMaxText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

bool mixes_scripts(std::string_view text) {
  text = cut(text);
  UScriptCode known = USCRIPT_COMMON;
  bool asian = false;
  for (std::int32_t at = 0, length = static_cast<std::int32_t>(text.size()); at < length;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), at, length, c);
    if (c < 0) continue;
    UErrorCode error = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(c, &error);
    if (U_FAILURE(error) || script == USCRIPT_COMMON || script == USCRIPT_INHERITED) continue;
    if (east_asian(script)) {
      asian = true;
    } else if (known == USCRIPT_COMMON) {
      known = script;
    } else if (script != known) {
      return true;
    }
  }
  return asian && known != USCRIPT_COMMON && known != USCRIPT_LATIN;
}

bool imitates_ascii(std::string_view text) {
  if (is_ascii(text)) return false;
  return is_utf8(text) && is_ascii(skeleton(text));
}

}  // namespace postern::mail
