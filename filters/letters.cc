// Letters, look-alikes and characters without a look.  Ranges from Unicode 15, look-alikes after UTS 39's tables, of which
// only those stand here that a whole word can be written with.
#include "filters/letters.h"

#include <algorithm>
#include <array>

namespace postern::filters {
namespace {

struct Range {
  char32_t first, last;
  Script script;
};
constexpr std::array<Range, 43> kScripts = {{
    {0x41, 0x5a, Script::latin}, {0x61, 0x7a, Script::latin}, {0xaa, 0xaa, Script::latin}, {0xba, 0xba, Script::latin},
    {0xc0, 0xd6, Script::latin}, {0xd8, 0xf6, Script::latin}, {0xf8, 0x24f, Script::latin}, {0x250, 0x2af, Script::latin},
    {0x370, 0x373, Script::greek}, {0x376, 0x377, Script::greek}, {0x37b, 0x37d, Script::greek}, {0x386, 0x386, Script::greek},
    {0x388, 0x3ff, Script::greek}, {0x400, 0x481, Script::cyrillic}, {0x48a, 0x52f, Script::cyrillic}, {0x531, 0x556, Script::armenian},
    {0x561, 0x587, Script::armenian}, {0x5d0, 0x5ea, Script::hebrew}, {0x620, 0x64a, Script::arabic}, {0x66e, 0x6d3, Script::arabic},
    {0x6fa, 0x6ff, Script::arabic}, {0x750, 0x77f, Script::arabic}, {0x900, 0xdff, Script::indic}, {0xe01, 0xe30, Script::thai},
    {0xe32, 0xe33, Script::thai}, {0xe40, 0xe46, Script::thai}, {0xe81, 0xedf, Script::other}, {0x1000, 0x109f, Script::other},
    {0x10a0, 0x10ff, Script::georgian}, {0x1100, 0x11ff, Script::hangul}, {0x1200, 0x137f, Script::other}, {0x13a0, 0x13fd, Script::other},
    {0x1780, 0x17d3, Script::other}, {0x1e00, 0x1eff, Script::latin}, {0x1f00, 0x1fff, Script::greek}, {0x2c60, 0x2c7f, Script::latin},
    {0x3041, 0x30ff, Script::kana}, {0x3105, 0x312f, Script::han}, {0x3131, 0x318e, Script::hangul}, {0x3400, 0x9fff, Script::han},
    {0xac00, 0xd7a3, Script::hangul}, {0xf900, 0xfaff, Script::han}, {0x20000, 0x3ffff, Script::han}}};

struct LookAlike {
  char32_t foreign;
  char latin;
};
// Sorted by character.
constexpr std::array<LookAlike, 74> kLookAlikes = {{
    {0x391, 'a'}, {0x392, 'b'}, {0x395, 'e'}, {0x396, 'z'}, {0x397, 'h'}, {0x399, 'i'}, {0x39a, 'k'}, {0x39c, 'm'}, {0x39d, 'n'}, {0x39f, 'o'},
    {0x3a1, 'p'}, {0x3a4, 't'}, {0x3a5, 'y'}, {0x3a7, 'x'}, {0x3b1, 'a'}, {0x3b3, 'y'}, {0x3b9, 'i'}, {0x3ba, 'k'}, {0x3bd, 'v'}, {0x3bf, 'o'},
    {0x3c1, 'p'}, {0x3c5, 'u'}, {0x3c7, 'x'}, {0x3f2, 'c'}, {0x3f3, 'j'}, {0x405, 's'}, {0x406, 'i'}, {0x408, 'j'}, {0x410, 'a'}, {0x412, 'b'},
    {0x415, 'e'}, {0x417, '3'}, {0x41a, 'k'}, {0x41c, 'm'}, {0x41d, 'h'}, {0x41e, 'o'}, {0x420, 'p'}, {0x421, 'c'}, {0x422, 't'}, {0x423, 'y'},
    {0x425, 'x'}, {0x42c, 'b'}, {0x430, 'a'}, {0x435, 'e'}, {0x43a, 'k'}, {0x43e, 'o'}, {0x440, 'p'},
    {0x441, 'c'}, {0x443, 'y'}, {0x445, 'x'}, {0x44c, 'b'}, {0x455, 's'}, {0x456, 'i'}, {0x458, 'j'}, {0x475, 'v'}, {0x4ae, 'y'},
    {0x4af, 'y'}, {0x4bb, 'h'}, {0x4c0, 'l'}, {0x4cf, 'l'}, {0x501, 'd'}, {0x50c, 'g'}, {0x51b, 'q'}, {0x51d, 'w'}, {0x555, 'o'}, {0x566, 'q'},
    {0x570, 'h'}, {0x578, 'n'}, {0x57d, 'u'}, {0x581, 'g'}, {0x585, 'o'}, {0x13a0, 'd'}, {0x13aa, 'a'}, {0x13d9, 'v'}}};

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

char letter_at(char32_t index) { return static_cast<char>('a' + index % 26); }

// One word after the other.
class Words {
 public:
  explicit Words(Mixture& out) : out_(out) {}

  void letter(char32_t c, Script script) {
    ++letters_;
    ++out_.letters;
    if (script == Script::latin) ++latin_;
    if (looks_latin(c) != 0) {
      ++alike_;
    } else if (script == Script::greek || script == Script::cyrillic || script == Script::armenian || script == Script::other) {
      ++foreign_;
    }
    if (script == Script::latin || script == Script::greek || script == Script::cyrillic) {
      ++out_.cased;
      if (is_uppercase(c)) ++out_.capitals;
    }
    out_.invisible_inside += pending_;
    pending_ = 0;
  }
  void invisible() {
    ++out_.invisible;
    if (letters_ > 0) ++pending_;
  }
  void end() {
    if (letters_ >= 2) ++out_.words;
    if (letters_ >= 4 && latin_ > 0 && alike_ > 0) ++out_.mixed;
    if (letters_ >= 4 && alike_ == letters_) ++disguised_;
    letters_ = latin_ = alike_ = pending_ = 0;
  }

  // Whoever really writes that alphabet needs its other letters, too.
  void end_of_text() {
    end();
    if (foreign_ == 0) out_.disguised = disguised_;
  }

 private:
  Mixture& out_;
  std::size_t letters_ = 0, latin_ = 0, alike_ = 0, pending_ = 0;
  std::size_t foreign_ = 0, disguised_ = 0;   // of the whole text
};

}  // namespace

char32_t next_character(std::string_view text, std::size_t& at) {
  constexpr char32_t kWrong = 0xfffd;
  auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  if (lead < 0xc2 || lead > 0xf4) return kWrong;
  std::size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  if (text.size() - at < more) return kWrong;
  char32_t c = lead & (0x3fU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    auto octet = static_cast<unsigned char>(text[at + i]);
    if ((octet & 0xc0) != 0x80) return kWrong;
    c = c << 6 | (octet & 0x3f);
  }
  at += more;
  return c;
}

Script script_of(char32_t c) {
  if (c < 0x80) return in(c | 0x20, 'a', 'z') ? Script::latin : Script::none;
  auto after = std::upper_bound(kScripts.begin(), kScripts.end(), c, [](char32_t value, const Range& range) { return value < range.first; });
  if (after == kScripts.begin()) return Script::none;
  const Range& range = *std::prev(after);
  return c <= range.last ? range.script : Script::none;
}

bool is_uppercase(char32_t c) {
  if (c < 0x80) return in(c, 'A', 'Z');
  if (c < 0xdf) return in(c, 0xc0, 0xde) && c != 0xd7;
  if (in(c, 0x139, 0x148) || in(c, 0x179, 0x17e)) return (c & 1) == 1;
  if (in(c, 0x100, 0x17f)) return (c & 1) == 0;
  if (c == 0x1a0 || c == 0x1af) return true;                      // Vietnamese O and U with horn
  if (in(c, 0x386, 0x3ab)) return c != 0x390;
  if (in(c, 0x400, 0x42f)) return true;
  return (in(c, 0x460, 0x52f) || in(c, 0x1e00, 0x1eff)) && (c & 1) == 0;
}

bool is_mark(char32_t c) { return in(c, 0x300, 0x36f) || in(c, 0x483, 0x489) || in(c, 0x591, 0x5c7) || in(c, 0x64b, 0x65f) || in(c, 0xe31, 0xe4e); }

bool is_invisible(char32_t c) {
  if (c < 0xad) return false;
  return c == 0xad || c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 || in(c, 0x180b, 0x180e) || in(c, 0x200b, 0x200f) ||
         in(c, 0x2060, 0x2064) || c == 0x3164 || c == 0xfeff || c == 0xffa0 || in(c, 0xe0000, 0xe007f);
}

bool is_bidi_control(char32_t c) { return in(c, 0x202a, 0x202e) || in(c, 0x2066, 0x2069); }

char styled_as(char32_t c) {
  if (c < 0xb2) return 0;
  if (in(c, 0x1d400, 0x1d6a3)) return letter_at(c - 0x1d400);
  if (in(c, 0x1d7ce, 0x1d7ff)) return static_cast<char>('0' + (c - 0x1d7ce) % 10);
  if (in(c, 0xff10, 0xff19)) return static_cast<char>('0' + (c - 0xff10));
  if (in(c, 0xff21, 0xff3a)) return letter_at(c - 0xff21);
  if (in(c, 0xff41, 0xff5a)) return letter_at(c - 0xff41);
  if (in(c, 0x24b6, 0x24cf)) return letter_at(c - 0x24b6);
  if (in(c, 0x24d0, 0x24e9)) return letter_at(c - 0x24d0);
  if (in(c, 0x1f130, 0x1f149)) return letter_at(c - 0x1f130);
  if (in(c, 0x1f150, 0x1f169)) return letter_at(c - 0x1f150);
  if (in(c, 0x1f170, 0x1f189)) return letter_at(c - 0x1f170);
  // The double-struck and script letters that were there before the mathematical block.
  switch (c) {
    case 0x2102: return 'c';
    case 0x210a: return 'g';
    case 0x210b: case 0x210c: case 0x210d: case 0x210e: return 'h';
    case 0x2110: case 0x2111: return 'i';
    case 0x2112: case 0x2113: return 'l';
    case 0x2115: return 'n';
    case 0x2119: return 'p';
    case 0x211a: return 'q';
    case 0x211b: case 0x211c: case 0x211d: return 'r';
    case 0x2124: case 0x2128: return 'z';
    case 0x212c: return 'b';
    case 0x212d: return 'c';
    case 0x212f: case 0x2130: return 'e';
    case 0x2131: return 'f';
    case 0x2133: return 'm';
    case 0x2134: return 'o';
    default: return 0;
  }
}

bool is_symbol(char32_t c) {
  if (c < 0x2190) return false;
  if (styled_as(c) != 0) return false;
  return in(c, 0x2190, 0x21ff) || in(c, 0x2300, 0x23ff) || in(c, 0x2500, 0x27bf) || in(c, 0x2900, 0x297f) || in(c, 0x2b00, 0x2bff) || in(c, 0x1f000, 0x1faff);
}

char looks_latin(char32_t c) {
  if (c < kLookAlikes.front().foreign) return 0;
  auto found = std::lower_bound(kLookAlikes.begin(), kLookAlikes.end(), c, [](const LookAlike& one, char32_t value) { return one.foreign < value; });
  return found != kLookAlikes.end() && found->foreign == c ? found->latin : '\0';
}

Mixture mixture_of(std::string_view text) {
  Mixture out;
  Words words(out);
  for (std::size_t at = 0; at < text.size();) {
    char32_t c = next_character(text, at);
    Script script = script_of(c);
    if (script != Script::none) {
      words.letter(c, script);
    } else if (is_invisible(c)) {
      words.invisible();
    } else if (styled_as(c) != 0) {
      ++out.styled;
    } else if (!is_mark(c)) {
      out.bidi += is_bidi_control(c) ? 1 : 0;
      out.symbols += is_symbol(c) ? 1 : 0;
      words.end();
    }
  }
  words.end_of_text();
  return out;
}

}  // namespace postern::filters
