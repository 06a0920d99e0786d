// CSS declarations and what they make of a text: seen or not.
#include "filters/html_style.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::filters {
namespace {

constexpr float kTiny = 2;               // px; a font below cannot be read
constexpr float kAway = -400;            // px; further left or up is off the screen
constexpr float kNothing = 1;            // px; a box up to this shows no text
constexpr std::size_t kMaxDeclarations = 200;

bool css_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

std::string_view css_trimmed(std::string_view text) {
  while (!text.empty() && css_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && css_space(text.back())) text.remove_suffix(1);
  return text;
}

// A number with its unit: "12px", "-.5em", "0", "1e3px".
std::optional<Style::Length> parse_length(std::string_view text) {
  text = css_trimmed(text);
  std::size_t end = 0;
  while (end < text.size() && end < 24 && (is_digit(text[end]) || text[end] == '.' || text[end] == '-' || text[end] == '+')) ++end;
  if (end == 0) return std::nullopt;
  std::string digits(text.substr(0, end));
  char* stop = nullptr;
  float value = std::strtof(digits.c_str(), &stop);
  if (stop == digits.c_str() || !std::isfinite(value)) return std::nullopt;
  std::string unit = ascii_lowered(text.substr(end, 6));
  unit = unit.substr(0, unit.find_first_of(" ;/"));
  using Unit = Style::Length::Unit;
  if (value == 0 || unit.empty() || unit == "px") return Style::Length{value, Unit::px};
  if (unit == "pt") return Style::Length{value * 4 / 3, Unit::px};
  if (unit == "pc") return Style::Length{value * 16, Unit::px};
  if (unit == "in") return Style::Length{value * 96, Unit::px};
  if (unit == "cm") return Style::Length{value * 37.8F, Unit::px};
  if (unit == "mm") return Style::Length{value * 3.78F, Unit::px};
  if (unit == "rem") return Style::Length{value * 16, Unit::px};
  if (unit == "em") return Style::Length{value, Unit::em};
  if (unit == "ex") return Style::Length{value / 2, Unit::em};
  if (unit == "%") return Style::Length{value / 100, Unit::em};
  return Style::Length{value, Unit::unknown};
}

bool at_most(std::string_view value, float px) {
  auto length = parse_length(value);
  return length && length->unit == Style::Length::Unit::px && length->value <= px;
}

Style::Paint parse_paint(std::string_view value) {
  Style::Paint out;
  bool transparent = false;
  auto colour = parse_colour(value, transparent);
  if (transparent) {
    out.kind = Style::Paint::Kind::transparent;
  } else if (colour) {
    out.kind = Style::Paint::Kind::colour;
    out.colour = *colour;
  }
  return out;
}

// The shorthand: a colour among other words; an image hides what colour is behind the text.
Style::Paint parse_background(std::string_view value) {
  if (ifind(value, "url(") != std::string_view::npos || ifind(value, "gradient") != std::string_view::npos) return {};
  if (auto whole = parse_paint(value); whole.kind != Style::Paint::Kind::unknown) return whole;
  Style::Paint out;
  for (std::size_t at = 0; at < value.size();) {
    std::size_t end = at;
    for (int open = 0; end < value.size() && (open > 0 || !css_space(value[end])); ++end) open += value[end] == '(' ? 1 : value[end] == ')' ? -1 : 0;
    auto paint = parse_paint(value.substr(at, end - at));
    if (paint.kind != Style::Paint::Kind::unknown) return paint;
    at = end + 1;
  }
  if (iequals(css_trimmed(value), "none") || iequals(css_trimmed(value), "initial")) out.kind = Style::Paint::Kind::transparent;
  return out;
}

// "font: italic 12px/1.5 Arial": the size is the first length.
std::optional<Style::Length> parse_font(std::string_view value) {
  for (std::size_t at = 0; at < value.size();) {
    std::size_t end = std::min(value.find_first_of(" \t\r\n", at), value.size());
    auto word = value.substr(at, end - at);
    auto length = parse_length(word);
    bool weight = length && word.find_first_not_of("0123456789") == std::string_view::npos && length->value >= 100;
    if (length && !weight) return length;
    at = end + 1;
  }
  return std::nullopt;
}

bool zero_opacity(std::string_view value) {
  auto number = parse_length(value);
  return number && number->value <= 0.05F;   // "5%" is read as 0.05
}

void declare(std::string_view property, std::string_view value, Style& style) {
  auto is = [&](std::string_view wanted) { return iequals(property, wanted); };
  bool known = true;
  if (is("display")) {
    style.display_none = istarts_with(value, "none");
  } else if (is("visibility")) {
    style.invisible = istarts_with(value, "hidden") || istarts_with(value, "collapse");
  } else if (is("opacity")) {
    style.see_through = zero_opacity(value);
  } else if (is("filter")) {
    std::size_t opacity = ifind(value, "opacity");
    if (opacity == std::string_view::npos) return;
    std::size_t number = value.find_first_of("0123456789.", opacity);
    style.see_through = number != std::string_view::npos && zero_opacity(value.substr(number, value.find(')', number) - number));
  } else if (is("font-size")) {
    style.font = parse_length(value).value_or(Style::Length{0, Style::Length::Unit::unknown});
  } else if (is("font")) {
    if (auto size = parse_font(value)) style.font = size;
  } else if (is("color") || is("-webkit-text-fill-color")) {
    if (!istarts_with(value, "inherit")) style.colour = parse_paint(value);
  } else if (is("background-color") || is("background")) {
    if (!istarts_with(value, "inherit")) style.background = parse_background(value);
  } else if (is("background-image")) {
    if (!istarts_with(value, "none")) style.background = Style::Paint{};
  } else if (is("mso-hide")) {
    style.mso_hide = istarts_with(value, "all");
  } else if (is("height") || is("max-height")) {
    if (is("height") && style.no_height.value_or(false)) return;   // either is enough
    style.no_height = at_most(value, kNothing);
  } else if (is("width") || is("max-width")) {
    if (is("width") && style.no_width.value_or(false)) return;
    style.no_width = at_most(value, kNothing);
  } else if (is("overflow") || is("overflow-y") || is("overflow-x")) {
    style.overflow_hidden = istarts_with(value, "hidden") || istarts_with(value, "clip");
  } else if (is("position")) {
    style.positioned = istarts_with(value, "absolute") || istarts_with(value, "fixed") || istarts_with(value, "relative");
  } else if (is("left") || is("top") || is("right") || is("bottom")) {
    if (at_most(value, kAway)) style.shifted_away = true;
  } else if (is("text-indent") || is("margin-left") || is("margin-top")) {
    if (at_most(value, kAway)) style.indented_away = true;
  } else if (is("clip")) {
    std::string plain = ascii_lowered(value);
    plain.erase(std::remove_if(plain.begin(), plain.end(), [](char c) { return css_space(c) || c == ',' || c == 'p' || c == 'x'; }), plain.end());
    style.clipped = plain == "rect(0000)" || plain == "rect(1111)";
  } else {
    known = false;
  }
  style.any = style.any || known;
}

// Without comments and with escapes undone: "dis\70 lay:/**/none" hides as well as any other.
std::string plain_css(std::string_view css) {
  std::string out;
  for (std::size_t at = 0; at < css.size();) {
    if (css.substr(at, 2) == "/*") {
      std::size_t end = css.find("*/", at + 2);
      at = end == std::string_view::npos ? css.size() : end + 2;
      continue;
    }
    if (css[at] != '\\' || at + 1 >= css.size()) {
      out += css[at++];
      continue;
    }
    std::size_t end = ++at;
    char32_t c = 0;
    while (end < css.size() && end < at + 6 && (is_digit(css[end]) || (ascii_lower(css[end]) >= 'a' && ascii_lower(css[end]) <= 'f'))) {
      c = c * 16 + static_cast<char32_t>(is_digit(css[end]) ? css[end] - '0' : ascii_lower(css[end]) - 'a' + 10);
      ++end;
    }
    if (end == at) {
      out += css[at++];
      continue;
    }
    bool bad = c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000);
    append_utf8(out, bad ? char32_t{0xfffd} : c);
    at = end < css.size() && css_space(css[end]) ? end + 1 : end;
  }
  return out;
}

// Where a declaration ends: at a ";" outside of quotes and parentheses.
std::size_t declaration_end(std::string_view css, std::size_t at) {
  int open = 0;
  char quote = '\0';
  for (; at < css.size(); ++at) {
    char c = css[at];
    if (quote != '\0') {
      if (c == quote || c == '\n') quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(') {
      ++open;
    } else if (c == ')') {
      open = std::max(open - 1, 0);
    } else if (c == ';' && open == 0) {
      break;
    }
  }
  return at;
}

}  // namespace

std::string_view name(Hidden hidden) {
  switch (hidden) {
    case Hidden::display: return "display";
    case Hidden::visibility: return "visibility";
    case Hidden::opacity: return "opacity";
    case Hidden::tiny_font: return "tiny-font";
    case Hidden::same_colour: return "same-colour";
    case Hidden::zero_box: return "zero-box";
    case Hidden::off_screen: return "off-screen";
    case Hidden::attribute: return "attribute";
    case Hidden::no:
    case Hidden::count_: break;
  }
  return {};
}

bool alike(Colour a, Colour b) {
  constexpr int kNear = 24;   // of 255, in each channel: #fff and #eee are alike, #fff and #ddd are not
  auto near = [](int x, int y) { return std::abs(x - y) <= kNear; };
  return near(a.red, b.red) && near(a.green, b.green) && near(a.blue, b.blue);
}

void Style::merge(const Style& over) {
  auto take = [](auto& mine, const auto& other) {
    if (other) mine = other;
  };
  take(display_none, over.display_none);
  take(invisible, over.invisible);
  take(see_through, over.see_through);
  take(overflow_hidden, over.overflow_hidden);
  take(positioned, over.positioned);
  take(mso_hide, over.mso_hide);
  take(no_height, over.no_height);
  take(no_width, over.no_width);
  take(shifted_away, over.shifted_away);
  take(indented_away, over.indented_away);
  take(clipped, over.clipped);
  take(font, over.font);
  take(colour, over.colour);
  take(background, over.background);
  any = any || over.any;
}

void parse_style(std::string_view css, Style& normal, Style& important) {
  css = css.substr(0, kMaxInlineStyle);
  std::string plain;
  if (css.find("/*") != std::string_view::npos || css.find('\\') != std::string_view::npos) css = plain = plain_css(css);
  std::size_t count = 0;
  for (std::size_t at = 0; at < css.size() && count < kMaxDeclarations; ++count) {
    std::size_t end = declaration_end(css, at);
    std::string_view declaration = css.substr(at, end - at);
    at = end + 1;
    std::size_t colon = declaration.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view property = css_trimmed(declaration.substr(0, colon));
    std::string_view value = css_trimmed(declaration.substr(colon + 1));
    bool is_important = iends_with(value, "important") && value.find('!') != std::string_view::npos;
    if (is_important) value = css_trimmed(value.substr(0, value.rfind('!')));
    declare(property, value, is_important ? important : normal);
  }
}

Look Look::inside(const Style& style) const {
  Look out = *this;
  auto hide = [&](bool yes, Hidden why) {
    if (yes && out.hidden == Hidden::no) out.hidden = why;
  };
  hide(style.display_none.value_or(false), Hidden::display);
  hide(style.see_through.value_or(false), Hidden::opacity);
  hide((style.no_height.value_or(false) || style.no_width.value_or(false)) && style.overflow_hidden.value_or(false), Hidden::zero_box);
  hide(style.clipped.value_or(false), Hidden::zero_box);
  hide((style.shifted_away.value_or(false) && style.positioned.value_or(false)) || style.indented_away.value_or(false), Hidden::off_screen);
  if (style.invisible) out.invisible = *style.invisible;
  if (style.mso_hide) out.mso_hide = *style.mso_hide;
  if (style.font) {
    using Unit = Style::Length::Unit;
    bool relative = style.font->unit == Unit::em;
    if (style.font->unit == Unit::unknown || (relative && font < 0)) {
      out.font = -1;
    } else {
      out.font = relative ? font * style.font->value : std::max(style.font->value, 0.0F);
    }
  }
  using Kind = Style::Paint::Kind;
  if (style.colour) {
    out.transparent = style.colour->kind == Kind::transparent;
    out.colour_known = style.colour->kind == Kind::colour;
    out.colour = style.colour->colour;
  }
  if (style.background && style.background->kind != Kind::transparent) {
    out.background_known = style.background->kind == Kind::colour;
    out.background = style.background->colour;
  }
  return out;
}

Hidden Look::reason() const {
  if (hidden != Hidden::no) return hidden;
  if (invisible) return Hidden::visibility;
  if (font >= 0 && font < kTiny) return Hidden::tiny_font;
  if (transparent || (colour_known && background_known && alike(colour, background))) return Hidden::same_colour;
  return Hidden::no;
}

}  // namespace postern::filters
