// Words of a subject as they are searched for: whatever it holds, they are text, short, and each there once.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/fold.h"

using namespace postern;
using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto words = folded_words(text, 1000);
  CHECK(words.size() <= 1000);
  std::set<std::string> once(words.begin(), words.end());
  CHECK(once.size() == words.size());
  for (const auto& word : words) {
    CHECK(!word.empty() && word.size() <= kMaxFoldedWord && is_utf8(word));
    CHECK(word.find('\0') == std::string::npos);
    for (char c : word) CHECK(!(c >= 'A' && c <= 'Z'));
  }
  CHECK(folded_words(text, 3).size() <= 3);
  CHECK(is_ascii(without_marks(text)));
  return 0;
}
