// Foreign words made fit for a message of ours.  RFC 5322 2.1.1, 2.2.3.
#include "gateway/mail/foreign.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::mail {

namespace {

constexpr std::size_t kColumns = 78;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string_view shortened(std::string_view utf8, std::size_t limit) {
  if (utf8.size() <= limit) return utf8;
  // No character has more than three such octets; of what is no UTF-8 not all must go.
  for (int i = 0; i < 3 && limit > 0 && continues(utf8[limit]); ++i) --limit;
  return utf8.substr(0, limit);
}

std::string without_controls(std::string_view text) {
  std::string out = valid_utf8(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto c = static_cast<unsigned char>(out[i]);
    if (c < 0x20 || c == 0x7f) out[i] = ' ';
    // U+0080 to U+009F are C2 80 to C2 9F.
    if (c == 0xc2 && static_cast<unsigned char>(out[i + 1]) < 0xa0) out[i] = out[i + 1] = ' ';
  }
  return out;
}

std::string one_line(std::string_view text, std::size_t limit) {
  std::string clean = without_controls(shortened(text, limit));
  return std::string(trimmed(shortened(clean, limit)));
}

void append_words(std::string& out, std::string_view text, std::string_view indent) {
  std::size_t column = out.size() - (out.rfind('\n') + 1);   // npos + 1 is 0
  bool first = true;
  for (std::string_view word : words(text)) {
    while (!word.empty()) {
      std::string_view piece = shortened(word, kMaxWord);
      word.remove_prefix(piece.size());
      // A line that only names its field would be lawful, but some readers take it for an empty one.
      bool fits = column + 1 + piece.size() <= (first ? kMaxLine : kColumns);
      if (column != 0 && !fits) {
        out += "\r\n";
        column = 0;
      }
      std::string_view before = column == 0 ? indent : " ";
      out += before;
      out += piece;
      column += before.size() + piece.size();
      first = false;
    }
  }
}

}  // namespace postern::mail
