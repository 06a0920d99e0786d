// The escapes of delivery status: RFC 3461 4 in its commands, RFC 6533 3 for addresses that are no ASCII.
#include "gateway/mail/xtext.h"

#include <array>
#include <charconv>
#include <optional>

#include "gateway/base/digits.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::mail {

namespace {

// Takes the first character off; of what is no UTF-8 something, but never more than there is.
char32_t take_character(std::string_view& utf8) {
  auto lead = static_cast<unsigned char>(utf8.front());
  utf8.remove_prefix(1);
  if (lead < 0x80) return lead;
  int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  char32_t c = lead & (0x3fU >> more);
  for (; more > 0 && !utf8.empty(); --more) {
    c = c << 6 | (static_cast<unsigned char>(utf8.front()) & 0x3fU);
    utf8.remove_prefix(1);
  }
  return c;
}

// RFC 6533 3 knows capital digits only, two of them at least.
void append_escape(std::string& out, char32_t c) {
  std::array<char, 8> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(c), 16).ptr;
  out += c < 0x10 ? "\\x{0" : "\\x{";
  for (const char* at = digits.data(); at != end; ++at) out += ascii_upper(*at);
  out += '}';
}

template <typename Special>
std::string escaped(std::string_view utf8, Special special) {
  std::string out;
  while (!utf8.empty()) {
    char32_t c = take_character(utf8);
    if (special(c)) {
      append_escape(out, c);
    } else {
      append_utf8(out, c);
    }
  }
  return out;
}

bool is_no_ascii(char32_t c) { return c >= 0x80; }
// What QCHAR leaves out of ASCII.
bool is_no_qchar(char32_t c) { return c <= 0x20 || c == 0x7f || c == '\\' || c == '+' || c == '='; }

// The character of the escape that `text` begins with, which is cut off; nullopt leaves it.
std::optional<char32_t> take_escape(std::string_view& text) {
  constexpr std::size_t kMaxDigits = 6;
  if (!text.starts_with("\\x{")) return std::nullopt;
  char32_t c = 0;
  std::size_t at = 3;
  for (; at < text.size() && at < 3 + kMaxDigits && hex_value(text[at]) >= 0; ++at) {
    c = c << 4 | static_cast<char32_t>(hex_value(text[at]));
  }
  bool is_surrogate = c >= 0xd800 && c < 0xe000;
  if (at == 3 || at >= text.size() || text[at] != '}' || c > 0x10ffff || is_surrogate) return std::nullopt;
  text.remove_prefix(at + 1);
  return c;
}

bool is_capital_hex(char c) { return is_digit(c) || (c >= 'A' && c <= 'F'); }

}  // namespace

std::string xtext_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && at + 2 < text.size() && is_capital_hex(text[at + 1]) && is_capital_hex(text[at + 2])) {
      out += static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::string unitext_decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (auto c = take_escape(text)) {
      append_utf8(out, *c);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string addr_unitext(std::string_view utf8) { return escaped(utf8, is_no_qchar); }
std::string addr_xtext(std::string_view utf8) {
  return escaped(utf8, [](char32_t c) { return is_no_ascii(c) || is_no_qchar(c); });
}
std::string ascii_escaped(std::string_view utf8) { return escaped(utf8, is_no_ascii); }

}  // namespace postern::mail
