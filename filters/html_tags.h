#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/text.h"

// The elements of HTML that a reader of pages must know, and how the parser treats them (HTML 13.2.4.2).
namespace postern::filters {

enum TagTraits : std::uint8_t {
  kVoid = 1,         // has no content and no end tag
  kSpecial = 2,      // an end tag of an ordinary element does not reach over it
  kScope = 4,        // no end tag reaches over it but those of tables
  kFormatting = 8,   // goes on behind the block that it was opened in
  kBlock = 16,       // begins and ends a line
  kClosesP = 32,     // ends an open <p>
  kTablePart = 64,   // text directly inside goes before the table (13.2.6.4.9)
};

// clang-format off
#define POSTERN_HTML_TAGS(T) \
  T(a, kFormatting) T(address, kSpecial | kBlock | kClosesP) T(applet, kSpecial | kScope) T(area, kVoid | kSpecial) \
  T(article, kSpecial | kBlock | kClosesP) T(aside, kSpecial | kBlock | kClosesP) T(audio, 0) T(b, kFormatting) \
  T(base, kVoid | kSpecial) T(big, kFormatting) T(blockquote, kSpecial | kBlock | kClosesP) T(body, kSpecial | kBlock) \
  T(br, kVoid | kSpecial | kBlock) T(button, kSpecial) T(caption, kSpecial | kScope | kBlock) \
  T(center, kSpecial | kBlock | kClosesP) T(code, kFormatting) T(col, kVoid | kSpecial) T(colgroup, kSpecial) \
  T(dd, kSpecial | kBlock | kClosesP) T(details, kSpecial | kBlock | kClosesP) T(dialog, kSpecial | kBlock | kClosesP) \
  T(dir, kSpecial | kBlock | kClosesP) T(div, kSpecial | kBlock | kClosesP) T(dl, kSpecial | kBlock | kClosesP) \
  T(dt, kSpecial | kBlock | kClosesP) T(em, kFormatting) T(embed, kVoid | kSpecial) T(fieldset, kSpecial | kBlock | kClosesP) \
  T(figure, kSpecial | kBlock | kClosesP) T(font, kFormatting) T(footer, kSpecial | kBlock | kClosesP) \
  T(form, kSpecial | kBlock | kClosesP) T(frame, kVoid | kSpecial) T(frameset, kSpecial) \
  T(h1, kSpecial | kBlock | kClosesP) T(h2, kSpecial | kBlock | kClosesP) T(h3, kSpecial | kBlock | kClosesP) \
  T(h4, kSpecial | kBlock | kClosesP) T(h5, kSpecial | kBlock | kClosesP) T(h6, kSpecial | kBlock | kClosesP) \
  T(head, kSpecial | kBlock) T(header, kSpecial | kBlock | kClosesP) T(hr, kVoid | kSpecial | kBlock | kClosesP) \
  T(html, kSpecial | kScope | kBlock) T(i, kFormatting) T(iframe, kSpecial) T(image, kVoid | kSpecial) T(img, kVoid | kSpecial) \
  T(input, kVoid | kSpecial) T(li, kSpecial | kBlock | kClosesP) T(link, kVoid | kSpecial) \
  T(main, kSpecial | kBlock | kClosesP) T(map, 0) T(marquee, kSpecial | kScope) T(menu, kSpecial | kBlock | kClosesP) \
  T(meta, kVoid | kSpecial) T(nav, kSpecial | kBlock | kClosesP) T(nobr, kFormatting) T(noembed, kSpecial) \
  T(noframes, kSpecial) T(object, kSpecial | kScope) T(ol, kSpecial | kBlock | kClosesP) T(optgroup, 0) T(option, kBlock) \
  T(p, kSpecial | kBlock | kClosesP) T(param, kVoid | kSpecial) T(plaintext, kSpecial | kClosesP) \
  T(pre, kSpecial | kBlock | kClosesP) T(s, kFormatting) T(script, kSpecial) T(section, kSpecial | kBlock | kClosesP) \
  T(select, kSpecial) T(small, kFormatting) T(source, kVoid | kSpecial) T(span, 0) T(strike, kFormatting) T(strong, kFormatting) \
  T(style, kSpecial) T(summary, kSpecial | kBlock | kClosesP) T(svg, 0) T(table, kSpecial | kScope | kBlock | kTablePart) \
  T(tbody, kSpecial | kTablePart) T(td, kSpecial | kScope) T(textarea, kSpecial) T(tfoot, kSpecial | kTablePart) \
  T(th, kSpecial | kScope) T(thead, kSpecial | kTablePart) T(title, kSpecial | kBlock) T(tr, kSpecial | kBlock | kTablePart) \
  T(track, kVoid | kSpecial) T(tt, kFormatting) T(u, kFormatting) T(ul, kSpecial | kBlock | kClosesP) T(video, 0) \
  T(wbr, kVoid | kSpecial) T(xmp, kSpecial | kBlock | kClosesP)
// clang-format on

// A known element, or (at or above `unknown_`) a hash of the name of another.
enum class Tag : std::uint32_t {
  none,
#define POSTERN_TAG_MEMBER(name, traits) name,
  POSTERN_HTML_TAGS(POSTERN_TAG_MEMBER)
#undef POSTERN_TAG_MEMBER
  known_count_,
  unknown_ = 0x8000'0000,
};

namespace detail {

// Sorted by name, Tag - 1 is the index.
inline constexpr auto kTagNames = std::to_array<std::string_view>({
#define POSTERN_TAG_NAME(name, traits) #name,
    POSTERN_HTML_TAGS(POSTERN_TAG_NAME)
#undef POSTERN_TAG_NAME
});
inline constexpr auto kTagTraits = std::to_array<std::uint8_t>({0,
#define POSTERN_TAG_TRAITS(name, traits) (traits),
    POSTERN_HTML_TAGS(POSTERN_TAG_TRAITS)
#undef POSTERN_TAG_TRAITS
});
static_assert(std::is_sorted(kTagNames.begin(), kTagNames.end()));

}  // namespace detail

// FNV-1a of the letters in lower case: for names, classes and ids.
constexpr std::uint32_t lowered_hash(std::string_view name) {
  std::uint32_t hash = 2166136261U;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(ascii_lower(c))) * 16777619U;
  return hash;
}

inline Tag tag_of(std::string_view name) {
  constexpr std::size_t kLongest = 10;   // blockquote
  std::array<char, kLongest> lower{};
  if (name.size() <= kLongest) {
    for (std::size_t i = 0; i < name.size(); ++i) lower[i] = ascii_lower(name[i]);
    std::string_view wanted(lower.data(), name.size());
    auto found = std::lower_bound(detail::kTagNames.begin(), detail::kTagNames.end(), wanted);
    if (found != detail::kTagNames.end() && *found == wanted) {
      return static_cast<Tag>(found - detail::kTagNames.begin() + 1);
    }
  }
  return static_cast<Tag>(lowered_hash(name) | static_cast<std::uint32_t>(Tag::unknown_));
}

constexpr std::uint8_t traits_of(Tag tag) {
  return tag < Tag::known_count_ ? detail::kTagTraits[static_cast<std::size_t>(tag)] : std::uint8_t{0};
}
constexpr bool has(Tag tag, std::uint8_t traits) { return (traits_of(tag) & traits) != 0; }

}  // namespace postern::filters
