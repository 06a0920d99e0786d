// Character classes for the tokens of Bayes: a few ranges of Unicode, each a decision about what tells mails apart.
#include "filters/bayes_letters.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace postern::filters {
namespace {

struct Range {
  char32_t first;
  char32_t last;
  Letter letter;
};

// Above U+007F, in order; what no range names is a letter.
constexpr Range kRanges[] = {
    {0x80, 0xa9, Letter::other},          {0xab, 0xac, Letter::other},        {0xad, 0xad, Letter::invisible},
    {0xae, 0xb4, Letter::other},          {0xb6, 0xb9, Letter::other},        {0xbb, 0xbf, Letter::other},
    {0xd7, 0xd7, Letter::other},          {0xf7, 0xf7, Letter::other},        {0x2c2, 0x2df, Letter::other},
    {0x34f, 0x34f, Letter::invisible},    {0x37e, 0x37e, Letter::other},      {0x387, 0x387, Letter::other},
    {0x589, 0x58f, Letter::other},        {0x5be, 0x5be, Letter::other},      {0x600, 0x60f, Letter::other},
    {0x61b, 0x61b, Letter::other},        {0x61c, 0x61c, Letter::invisible},  {0x61d, 0x61f, Letter::other},
    {0x66a, 0x66d, Letter::other},
    {0x6d4, 0x6d4, Letter::other},        {0x964, 0x965, Letter::other},      {0xe00, 0xe3e, Letter::unspaced},
    {0xe3f, 0xe3f, Letter::other},        {0xe40, 0xe7f, Letter::unspaced},   {0xe80, 0xeff, Letter::unspaced},
    {0x1000, 0x109f, Letter::unspaced},   {0x115f, 0x1160, Letter::invisible}, {0x1780, 0x17ff, Letter::unspaced},
    {0x180b, 0x180e, Letter::invisible},  {0x2000, 0x200a, Letter::other},    {0x200b, 0x200f, Letter::invisible},
    {0x2010, 0x2029, Letter::other},      {0x202a, 0x202e, Letter::invisible}, {0x202f, 0x205f, Letter::other},
    {0x2060, 0x206f, Letter::invisible},  {0x2070, 0x20cf, Letter::other},    {0x2100, 0x25ff, Letter::other},
    {0x2600, 0x27bf, Letter::picture},    {0x27c0, 0x2bff, Letter::other},    {0x2e00, 0x2e7f, Letter::other},
    {0x2e80, 0x2fdf, Letter::unspaced},   {0x3000, 0x3004, Letter::other},    {0x3005, 0x3007, Letter::unspaced},
    {0x3008, 0x3030, Letter::other},      {0x3031, 0x31ff, Letter::unspaced}, {0x3200, 0x33ff, Letter::other},
    {0x3400, 0x4dbf, Letter::unspaced},   {0x4dc0, 0x4dff, Letter::other},    {0x4e00, 0x9fff, Letter::unspaced},
    {0xd800, 0xf8ff, Letter::other},      {0xf900, 0xfaff, Letter::unspaced}, {0xfe00, 0xfe0f, Letter::invisible},
    {0xfe10, 0xfe6f, Letter::other},      {0xfeff, 0xfeff, Letter::invisible}, {0xff00, 0xff0f, Letter::other},
    {0xff10, 0xff19, Letter::digit},      {0xff1a, 0xff20, Letter::other},    {0xff3b, 0xff40, Letter::other},
    {0xff5b, 0xff65, Letter::other},      {0xff66, 0xff9f, Letter::unspaced}, {0xffa0, 0xffa0, Letter::invisible},
    {0xffe0, 0xffff, Letter::other},      {0x1f000, 0x1faff, Letter::picture}, {0x20000, 0x3ffff, Letter::unspaced},
    {0xe0000, 0xe0fff, Letter::invisible}, {0xf0000, 0x10ffff, Letter::other},
};

// Cyrillic and Greek letters in lower case and the Latin ones that they are taken for.
struct Twin {
  char32_t letter;
  char ascii;
};
constexpr Twin kTwins[] = {
    {0x3b1, 'a'}, {0x3b3, 'y'}, {0x3b5, 'e'}, {0x3b7, 'n'}, {0x3b9, 'i'}, {0x3ba, 'k'}, {0x3bd, 'v'}, {0x3bf, 'o'}, {0x3c1, 'p'},
    {0x3c4, 't'}, {0x3c5, 'u'}, {0x3c7, 'x'}, {0x3c9, 'w'}, {0x430, 'a'}, {0x432, 'b'}, {0x433, 'r'}, {0x435, 'e'}, {0x43a, 'k'},
    {0x43c, 'm'}, {0x43d, 'h'}, {0x43e, 'o'}, {0x43f, 'n'}, {0x440, 'p'}, {0x441, 'c'}, {0x442, 't'}, {0x443, 'y'}, {0x445, 'x'},
    {0x44c, 'b'}, {0x455, 's'}, {0x456, 'i'}, {0x457, 'i'}, {0x458, 'j'}, {0x4bb, 'h'}, {0x4cf, 'l'}, {0x501, 'd'}, {0x51b, 'q'},
    {0x51d, 'w'},
};

constexpr bool is_between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

// Blocks in which capital and small letters alternate: Latin Extended-A, Cyrillic extensions, Vietnamese (1EA0...).
constexpr bool is_paired(char32_t c) {
  return is_between(c, 0x100, 0x137) || is_between(c, 0x14a, 0x177) || is_between(c, 0x1de, 0x1ef) || is_between(c, 0x1f8, 0x21f) ||
         is_between(c, 0x460, 0x481) || is_between(c, 0x48a, 0x4bf) || is_between(c, 0x4d0, 0x52f) || is_between(c, 0x1e00, 0x1e95) ||
         is_between(c, 0x1ea0, 0x1eff);
}

}  // namespace

Letter letter_class(char32_t c) {
  if (c < 0x80) {
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return Letter::letter;
    return c >= '0' && c <= '9' ? Letter::digit : Letter::other;
  }
  if (is_between(c, 0xc0, 0x2c1) && c != 0xd7 && c != 0xf7) return Letter::letter;   // the most frequent first
  const Range* found = std::lower_bound(std::begin(kRanges), std::end(kRanges), c, [](const Range& r, char32_t x) { return r.last < x; });
  return found != std::end(kRanges) && c >= found->first ? found->letter : Letter::letter;
}

char32_t lower_letter(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (is_between(c, 0xc0, 0xde)) return c == 0xd7 ? c : c + 32;
  if (c == 0x130) return 'i';
  if (is_paired(c)) return c | 1U;
  if (is_between(c, 0x139, 0x148) || is_between(c, 0x179, 0x17e)) return (c & 1U) != 0 ? c + 1 : c;   // here capitals are odd
  if (c == 0x178) return 0xff;
  if (c == 0x1a0 || c == 0x1af) return c + 1;   // Vietnamese O and U with horn
  if (is_between(c, 0x391, 0x3a9)) return c == 0x3a2 ? c : c + 32;
  if (c == 0x3c2) return 0x3c3;
  if (is_between(c, 0x400, 0x40f)) return c + 80;
  if (is_between(c, 0x410, 0x42f)) return c + 32;
  if (c == 0x4c0) return 0x4cf;
  if (is_between(c, 0x4c1, 0x4ce)) return (c & 1U) != 0 ? c + 1 : c;
  if (is_between(c, 0x531, 0x556)) return c + 48;
  if (is_between(c, 0xff10, 0xff19)) return c - 0xff10 + '0';
  if (is_between(c, 0xff21, 0xff3a)) return c - 0xff21 + 'a';
  if (is_between(c, 0xff41, 0xff5a)) return c - 0xff41 + 'a';
  return c;
}

char look_alike(char32_t c) {
  if (c < 0x3b1 || c > 0x51d) return 0;
  const Twin* found = std::lower_bound(std::begin(kTwins), std::end(kTwins), c, [](const Twin& t, char32_t x) { return t.letter < x; });
  return found != std::end(kTwins) && found->letter == c ? found->ascii : '\0';
}

char32_t take_character(std::string_view text, std::size_t& at) {
  auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned first = octet(at);
  if (first < 0x80) return text[at++];
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return ++at, 0xfffd;
  char32_t c = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    unsigned next = octet(at + i);
    if ((next & 0xc0U) != 0x80U) return ++at, 0xfffd;
    c = c << 6 | (next & 0x3fU);
  }
  bool wrong = (length == 3 && (c < 0x800 || is_between(c, 0xd800, 0xdfff))) || (length == 4 && (c < 0x10000 || c > 0x10ffff));
  if (wrong) return ++at, 0xfffd;
  at += length;
  return c;
}

}  // namespace postern::filters
