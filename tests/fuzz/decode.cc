// No decoder gives more than its limit, and a limit only cuts.  First octet: which charset; second: the limit.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/decode.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::array<std::string_view, 20> kLabels = {
      "", "utf-8", "us-ascii", "iso-8859-1", "utf-7", "utf-16", "utf-32", "iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "hz-gb-2312",
      "gb18030", "big5", "shift_jis", "euc-jp", "windows-1258", "viscii", "tcvn", "koi8-r", "scsu"};
  std::string_view label = kLabels[data[0] % kLabels.size()];
  std::size_t limit = data[1];
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  for (auto decode : {decode_base64, decode_quoted_printable, decode_q, decode_uuencode}) {
    std::string whole = decode(text, kNoLimit);
    CHECK(whole.size() <= text.size() + 3);
    CHECK(decode(text, limit) == whole.substr(0, limit));
  }
  std::string whole = to_utf8(text, label);
  CHECK(postern::is_utf8(whole));
  std::string cut = to_utf8(text, label, limit);
  CHECK(cut.size() <= limit && postern::is_utf8(cut));
  // Where tones are joined with their letters, the last letter may miss its tone.
  CHECK(whole.starts_with(cut) || label == "windows-1258" || label == "tcvn");
  CHECK(postern::is_utf8(valid_utf8(text)));
  CHECK(postern::is_utf8(search_form(text)));
  CHECK(search_form(search_form(whole)) == search_form(whole));
  (void)is_known_charset(text);
  return 0;
}
