// RFC 2047, as senders really write it.  Linear in the length of the text: when one closing "?=" is missing, all
// later ones are, so the search is given up.
#include "gateway/mail/encoded_word.h"

#include <algorithm>
#include <optional>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/decode.h"

namespace postern::mail {

namespace {

struct Word {
  std::string_view charset;
  bool base64 = false;
  std::string_view text;
  std::size_t length = 0;   // of the whole word
};

constexpr std::size_t kMaxCharsetName = 64;

// `text` starts with "=?".  `unclosed` is set when no "?=" is left in it.
std::optional<Word> take_word(std::string_view text, bool& unclosed) {
  Word word;
  auto charset_end = text.substr(0, kMaxCharsetName + 3).find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size()) return std::nullopt;
  word.charset = text.substr(2, charset_end - 2);
  char kind = ascii_lower(text[charset_end + 1]);
  if ((kind != 'b' && kind != 'q') || text[charset_end + 2] != '?') return std::nullopt;
  std::size_t begin = charset_end + 3;
  auto end = text.find("?=", begin);
  if (end == std::string_view::npos) {
    unclosed = true;
    return std::nullopt;
  }
  word.base64 = kind == 'b';
  word.text = text.substr(begin, end - begin);
  word.length = end + 2;
  // RFC 2231 5: "charset*language".
  word.charset = word.charset.substr(0, word.charset.find('*'));
  return word;
}

// Collects words of one charset, since a character may be split over two of them.
class Pending {
 public:
  void add(const Word& word, std::string& out) {
    if (!octets_.empty() && !iequals(charset_, word.charset)) flush(out);
    charset_ = word.charset;
    octets_ += word.base64 ? decode_base64(word.text) : decode_q(word.text);
  }
  void flush(std::string& out) {
    if (!octets_.empty()) out += to_utf8(octets_, charset_);
    octets_.clear();
  }

 private:
  std::string_view charset_;
  std::string octets_;
};

bool is_space(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::string decode_words(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  Pending pending;
  bool after_word = false;
  std::size_t plain = 0;   // start of the text that is not yet written
  std::size_t at = 0;
  bool unclosed = false;
  while (!unclosed && (at = text.find("=?", at)) != std::string_view::npos) {
    auto word = take_word(text.substr(at), unclosed);
    if (!word) {
      at += 2;
      continue;
    }
    std::string_view between = text.substr(plain, at - plain);
    // RFC 2047 6.2: white space between two words is not shown.
    if (!(after_word && is_space(between))) {
      pending.flush(out);
      out += to_utf8(between, {});
    }
    pending.add(*word, out);
    at += word->length;
    plain = at;
    after_word = true;
  }
  pending.flush(out);
  out += to_utf8(text.substr(plain), {});
  return out;
}

std::string encode_words(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  constexpr std::size_t kOctets = 45;   // 60 letters: the word stays below 75, RFC 2047 2
  std::string out;
  while (!text.empty()) {
    auto cut = std::min(kOctets, text.size());
    while (cut < text.size() && cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;   // RFC 2047 5: whole characters
    if (cut == 0) cut = std::min(kOctets, text.size());
    out += (out.empty() ? "=?utf-8?B?" : "\r\n =?utf-8?B?") + base64(text.substr(0, cut)) + "?=";
    text.remove_prefix(cut);
  }
  return out;
}

}  // namespace postern::mail
