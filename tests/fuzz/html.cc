// HTML of any kind becomes valid UTF-8 within the limit; a limit only cuts.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/html.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view html(reinterpret_cast<const char*>(data), size);
  std::string whole = html_to_text(html);
  CHECK(postern::is_utf8(whole));
  for (std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{7}, size / 2}) {
    std::string cut = html_to_text(html, limit);
    CHECK(cut.size() <= limit && postern::is_utf8(cut) && whole.starts_with(cut));
  }
  return 0;
}
