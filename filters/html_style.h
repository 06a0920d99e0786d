#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filters/html_tags.h"

// As much of CSS as decides whether a reader sees a text.
namespace postern::filters {

constexpr std::size_t kMaxInlineStyle = 8 * 1024;        // octets of one style attribute
constexpr std::size_t kMaxStyleSheets = 128 * 1024;      // octets of all style elements of a page
constexpr std::size_t kMaxStyleRules = 1000;             // selectors with declarations that matter
constexpr std::size_t kMaxStyleLookups = 200'000;        // rules tried on elements, of one page

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Colour&) const = default;
};
// "#fff", "#ffffff", "rgb(255, 255, 255)", "white", and the bare digits of old attributes; nullopt: none that we know.
// `transparent` is set when nothing of it shows ("transparent", an alpha of 0).
std::optional<Colour> parse_colour(std::string_view text, bool& transparent);
// So near to each other that a text in one is not read on the other.
bool alike(Colour a, Colour b);

// Why a text is not seen.
enum class Hidden : std::uint8_t { no, display, visibility, opacity, tiny_font, same_colour, zero_box, off_screen, attribute, count_ };
std::string_view name(Hidden hidden);   // "display", "tiny-font", ...; "" for no

// What the declarations for one element say; what they do not say is unset.
struct Style {
  struct Length {
    float value = 0;
    enum class Unit : std::uint8_t { px, em, unknown } unit = Unit::px;
  };
  struct Paint {
    enum class Kind : std::uint8_t { colour, transparent, unknown } kind = Kind::unknown;   // unknown: an image, var(), ...
    Colour colour;
  };
  std::optional<bool> display_none, invisible, see_through, overflow_hidden, positioned, mso_hide;
  std::optional<bool> no_height, no_width, shifted_away, indented_away, clipped;
  std::optional<Length> font;
  std::optional<Paint> colour, background;
  bool any = false;             // something is set

  void merge(const Style& over);
};

// Appends the declarations ("display: none; color: red"); those with !important go to `important`.  Comments and
// escapes of CSS are undone.
void parse_style(std::string_view css, Style& normal, Style& important);

// How a text at some place of the page looks.
struct Look {
  Hidden hidden = Hidden::no;   // of this or an element around; no style inside can undo it
  bool invisible = false;       // visibility, which one inside can undo
  bool mso_hide = false;        // hidden by Outlook alone
  float font = 16;              // px; below 0: not known
  Colour colour;
  bool colour_known = true, transparent = false;
  Colour background{255, 255, 255};
  bool background_known = true;

  // Of an element with this style, in a place that looks so.
  Look inside(const Style& style) const;
  // Why the reader does not see it, or `no`.
  Hidden reason() const;
};

// The rules of style elements: those of one element, class and id each ("p.x#y"); what depends on elements around,
// on the state of a link or on the size of the window is not read.
class StyleSheet {
 public:
  // Bounds are for all together; what lies beyond is not read.
  void add(std::string_view css);
  bool empty() const { return rules_.empty(); }
  bool truncated() const { return truncated_; }
  // `classes` as written in the attribute.
  void find(Tag tag, std::string_view id, std::string_view classes, Style& normal, Style& important);

 private:
  struct Rule {
    Tag tag = Tag::none;
    std::uint32_t id = 0;
    std::vector<std::uint32_t> classes;
    unsigned specificity = 0;
    Style normal, important;
  };
  void add_rule(std::string_view selectors, std::string_view body);
  bool add_selector(std::string_view selector, Rule rule);
  void try_rules(std::uint32_t key, Tag tag, std::uint32_t id, const std::vector<std::uint32_t>& classes, std::vector<std::size_t>& found);

  std::vector<Rule> rules_;
  std::unordered_map<std::uint32_t, std::vector<std::size_t>> by_key_;   // by id, else a class, else the element
  std::size_t octets_ = 0;
  std::size_t lookups_ = 0;
  bool truncated_ = false;
};

}  // namespace postern::filters
