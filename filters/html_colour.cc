// Colours as CSS Color 4 and the old attributes of HTML (2.4.6) write them.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "filters/html_style.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

struct Named {
  std::string_view name;
  std::uint32_t rgb;
};
// Sorted.
constexpr auto kNames = std::to_array<Named>({
    {"aliceblue", 0xf0f8ff}, {"antiquewhite", 0xfaebd7}, {"aqua", 0x00ffff}, {"aquamarine", 0x7fffd4}, {"azure", 0xf0ffff},
    {"beige", 0xf5f5dc}, {"bisque", 0xffe4c4}, {"black", 0x000000}, {"blanchedalmond", 0xffebcd}, {"blue", 0x0000ff},
    {"blueviolet", 0x8a2be2}, {"brown", 0xa52a2a}, {"burlywood", 0xdeb887}, {"cadetblue", 0x5f9ea0}, {"chartreuse", 0x7fff00},
    {"chocolate", 0xd2691e}, {"coral", 0xff7f50}, {"cornflowerblue", 0x6495ed}, {"cornsilk", 0xfff8dc}, {"crimson", 0xdc143c},
    {"cyan", 0x00ffff}, {"darkblue", 0x00008b}, {"darkcyan", 0x008b8b}, {"darkgoldenrod", 0xb8860b}, {"darkgray", 0xa9a9a9},
    {"darkgreen", 0x006400}, {"darkgrey", 0xa9a9a9}, {"darkkhaki", 0xbdb76b}, {"darkmagenta", 0x8b008b},
    {"darkolivegreen", 0x556b2f}, {"darkorange", 0xff8c00}, {"darkorchid", 0x9932cc}, {"darkred", 0x8b0000},
    {"darksalmon", 0xe9967a}, {"darkseagreen", 0x8fbc8f}, {"darkslateblue", 0x483d8b}, {"darkslategray", 0x2f4f4f},
    {"darkturquoise", 0x00ced1}, {"darkviolet", 0x9400d3}, {"deeppink", 0xff1493}, {"deepskyblue", 0x00bfff},
    {"dimgray", 0x696969}, {"dimgrey", 0x696969}, {"dodgerblue", 0x1e90ff}, {"firebrick", 0xb22222}, {"floralwhite", 0xfffaf0},
    {"forestgreen", 0x228b22}, {"fuchsia", 0xff00ff}, {"gainsboro", 0xdcdcdc}, {"ghostwhite", 0xf8f8ff}, {"gold", 0xffd700},
    {"goldenrod", 0xdaa520}, {"gray", 0x808080}, {"green", 0x008000}, {"greenyellow", 0xadff2f}, {"grey", 0x808080},
    {"honeydew", 0xf0fff0}, {"hotpink", 0xff69b4}, {"indianred", 0xcd5c5c}, {"indigo", 0x4b0082}, {"ivory", 0xfffff0},
    {"khaki", 0xf0e68c}, {"lavender", 0xe6e6fa}, {"lavenderblush", 0xfff0f5}, {"lawngreen", 0x7cfc00}, {"lemonchiffon", 0xfffacd},
    {"lightblue", 0xadd8e6}, {"lightcoral", 0xf08080}, {"lightcyan", 0xe0ffff}, {"lightgoldenrodyellow", 0xfafad2},
    {"lightgray", 0xd3d3d3}, {"lightgreen", 0x90ee90}, {"lightgrey", 0xd3d3d3}, {"lightpink", 0xffb6c1}, {"lightsalmon", 0xffa07a},
    {"lightseagreen", 0x20b2aa}, {"lightskyblue", 0x87cefa}, {"lightslategray", 0x778899}, {"lightsteelblue", 0xb0c4de},
    {"lightyellow", 0xffffe0}, {"lime", 0x00ff00}, {"limegreen", 0x32cd32}, {"linen", 0xfaf0e6}, {"magenta", 0xff00ff},
    {"maroon", 0x800000}, {"mediumaquamarine", 0x66cdaa}, {"mediumblue", 0x0000cd}, {"mediumorchid", 0xba55d3},
    {"mediumpurple", 0x9370db}, {"mediumseagreen", 0x3cb371}, {"mediumslateblue", 0x7b68ee}, {"mediumspringgreen", 0x00fa9a},
    {"mediumturquoise", 0x48d1cc}, {"mediumvioletred", 0xc71585}, {"midnightblue", 0x191970}, {"mintcream", 0xf5fffa},
    {"mistyrose", 0xffe4e1}, {"moccasin", 0xffe4b5}, {"navajowhite", 0xffdead}, {"navy", 0x000080}, {"oldlace", 0xfdf5e6},
    {"olive", 0x808000}, {"olivedrab", 0x6b8e23}, {"orange", 0xffa500}, {"orangered", 0xff4500}, {"orchid", 0xda70d6},
    {"palegoldenrod", 0xeee8aa}, {"palegreen", 0x98fb98}, {"paleturquoise", 0xafeeee}, {"palevioletred", 0xdb7093},
    {"papayawhip", 0xffefd5}, {"peachpuff", 0xffdab9}, {"peru", 0xcd853f}, {"pink", 0xffc0cb}, {"plum", 0xdda0dd},
    {"powderblue", 0xb0e0e6}, {"purple", 0x800080}, {"rebeccapurple", 0x663399}, {"red", 0xff0000}, {"rosybrown", 0xbc8f8f},
    {"royalblue", 0x4169e1}, {"saddlebrown", 0x8b4513}, {"salmon", 0xfa8072}, {"sandybrown", 0xf4a460}, {"seagreen", 0x2e8b57},
    {"seashell", 0xfff5ee}, {"sienna", 0xa0522d}, {"silver", 0xc0c0c0}, {"skyblue", 0x87ceeb}, {"slateblue", 0x6a5acd},
    {"slategray", 0x708090}, {"snow", 0xfffafa}, {"springgreen", 0x00ff7f}, {"steelblue", 0x4682b4}, {"tan", 0xd2b48c},
    {"teal", 0x008080}, {"thistle", 0xd8bfd8}, {"tomato", 0xff6347}, {"turquoise", 0x40e0d0},
    {"violet", 0xee82ee}, {"wheat", 0xf5deb3}, {"white", 0xffffff}, {"whitesmoke", 0xf5f5f5}, {"windowtext", 0x000000},
    {"yellow", 0xffff00}, {"yellowgreen", 0x9acd32},
});

Colour of(std::uint32_t rgb) {
  return {static_cast<std::uint8_t>(rgb >> 16), static_cast<std::uint8_t>(rgb >> 8 & 0xff), static_cast<std::uint8_t>(rgb & 0xff)};
}

std::optional<unsigned> digit(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  char lower = ascii_lower(c);
  if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a') + 10;
  return std::nullopt;
}

std::optional<Colour> hexadecimal(std::string_view digits, bool& transparent) {
  if (digits.size() != 3 && digits.size() != 4 && digits.size() != 6 && digits.size() != 8) return std::nullopt;
  std::array<unsigned, 8> values{};
  for (std::size_t i = 0; i < digits.size(); ++i) {
    auto value = digit(digits[i]);
    if (!value) return std::nullopt;
    values[i] = *value;
  }
  bool is_short = digits.size() <= 4;
  auto channel = [&](std::size_t i) {
    return static_cast<std::uint8_t>(is_short ? values[i] * 17 : values[2 * i] * 16 + values[2 * i + 1]);
  };
  bool has_alpha = digits.size() == 4 || digits.size() == 8;
  transparent = has_alpha && channel(3) < 16;
  return Colour{channel(0), channel(1), channel(2)};
}

// "rgb(1, 2, 3)", "rgba(1 2 3 / 0)", "rgb(10%, ...)".
std::optional<Colour> function(std::string_view text, bool& transparent) {
  std::size_t open = text.find('(');
  std::array<float, 4> values{0, 0, 0, 1};
  std::size_t count = 0;
  for (std::size_t at = open + 1; at < text.size() && text[at] != ')' && count < values.size();) {
    if (!is_digit(text[at]) && text[at] != '.' && text[at] != '-') {
      ++at;
      continue;
    }
    std::string number(text.substr(at, 12));
    char* stop = nullptr;
    float value = std::strtof(number.c_str(), &stop);
    if (stop == number.c_str()) return std::nullopt;
    at += static_cast<std::size_t>(stop - number.c_str());
    bool percent = at < text.size() && text[at] == '%';
    if (percent) value = value * (count < 3 ? 2.55F : 0.01F);
    values[count++] = value;
  }
  if (count < 3) return std::nullopt;
  transparent = values[3] < 0.06F;
  auto channel = [](float value) { return static_cast<std::uint8_t>(value >= 255 ? 255.0F : value > 0 ? value : 0.0F); };
  return Colour{channel(values[0]), channel(values[1]), channel(values[2])};
}

}  // namespace

std::optional<Colour> parse_colour(std::string_view text, bool& transparent) {
  transparent = false;
  text = trimmed(text);
  if (text.empty() || text.size() > 64) return std::nullopt;
  if (text.front() == '#') return hexadecimal(text.substr(1), transparent);
  if (istarts_with(text, "rgb") && text.find('(') != std::string_view::npos) return function(text, transparent);
  std::string name = ascii_lowered(text);
  if (name == "transparent") {
    transparent = true;
    return std::nullopt;
  }
  auto found = std::lower_bound(kNames.begin(), kNames.end(), name, [](const Named& a, const std::string& b) { return a.name < b; });
  if (found != kNames.end() && found->name == name) return of(found->rgb);
  if (text.size() == 6) return hexadecimal(text, transparent);
  return std::nullopt;
}

}  // namespace postern::filters
