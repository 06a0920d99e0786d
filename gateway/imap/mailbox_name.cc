// Mailbox names.  RFC 3501 5.1 and 6.3.8.
#include "gateway/imap/mailbox_name.h"

#include <array>
#include <cstdint>
#include <vector>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::imap {
namespace {

// Base64 with ',' for '/', RFC 3501 5.1.3.
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

bool is_printable_ascii(std::uint32_t c) { return c >= 0x20 && c <= 0x7e; }

void append_utf8(std::string& out, std::uint32_t c) {
  auto put = [&out](std::uint32_t octet) { out += static_cast<char>(octet); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

// The next character of well-formed UTF-8.
std::uint32_t take_utf8(std::string_view text, std::size_t& at) {
  auto octet = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  std::uint32_t lead = octet(at);
  std::size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  CHECK(at + more < text.size());
  std::uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);
  for (std::size_t i = 1; i <= more; ++i) c = (c << 6) | (octet(at + i) & 0x3f);
  at += more + 1;
  return c;
}

// The base64 between '&' and '-' as UTF-16 units; nothing when it is not canonical.
std::optional<std::vector<std::uint16_t>> decode_units(std::string_view base64_text) {
  std::vector<std::uint16_t> units;
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : base64_text) {
    auto value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 16) {
      count -= 16;
      units.push_back(static_cast<std::uint16_t>(bits >> count));
      bits &= (1u << count) - 1;
    }
  }
  // What is left over is less than one base64 character and zero, or a second spelling would exist.
  if (count >= 6 || bits != 0 || units.empty()) return std::nullopt;
  return units;
}

bool append_units(std::string& out, const std::vector<std::uint16_t>& units) {
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::uint32_t c = units[i];
    if (c >= 0xdc00 && c < 0xe000) return false;
    if (c >= 0xd800 && c < 0xdc00) {
      if (++i == units.size() || units[i] < 0xdc00 || units[i] >= 0xe000) return false;
      c = 0x10000 + ((c - 0xd800) << 10) + (units[i] - 0xdc00u);
    }
    if (is_printable_ascii(c)) return false;  // RFC 3501 5.1.3: it must represent itself
    append_utf8(out, c);
  }
  return true;
}

void append_shifted(std::string& out, const std::vector<std::uint16_t>& units) {
  out += '&';
  std::uint32_t bits = 0;
  int count = 0;
  for (auto unit : units) {
    bits = (bits << 16) | unit;
    count += 16;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[(bits >> count) & 0x3f];
    }
    bits &= (1u << count) - 1;
  }
  if (count > 0) out += kAlphabet[(bits << (6 - count)) & 0x3f];
  out += '-';
}

}  // namespace

std::optional<std::string> decode_utf7(std::string_view text) {
  std::string out;
  bool shifted_before = false;
  for (std::size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    if (!is_printable_ascii(c)) return std::nullopt;
    if (c != '&') {
      out += text[i++];
      shifted_before = false;
      continue;
    }
    auto end = text.find('-', i + 1);
    if (end == std::string_view::npos) return std::nullopt;
    if (end == i + 1) {
      out += '&';
      shifted_before = false;
    } else {
      if (shifted_before) return std::nullopt;  // "superfluous shift"
      auto units = decode_units(text.substr(i + 1, end - i - 1));
      if (!units || !append_units(out, *units)) return std::nullopt;
      shifted_before = true;
    }
    i = end + 1;
  }
  return out;
}

std::string encode_utf7(std::string_view utf8) {
  std::string out;
  std::vector<std::uint16_t> units;
  for (std::size_t i = 0; i < utf8.size();) {
    std::uint32_t c = take_utf8(utf8, i);
    if (!is_printable_ascii(c)) {
      if (c >= 0x10000) {
        units.push_back(static_cast<std::uint16_t>(0xd800 + ((c - 0x10000) >> 10)));
        units.push_back(static_cast<std::uint16_t>(0xdc00 + ((c - 0x10000) & 0x3ff)));
      } else {
        units.push_back(static_cast<std::uint16_t>(c));
      }
      continue;
    }
    if (!units.empty()) append_shifted(out, units);
    units.clear();
    out += static_cast<char>(c);
    if (c == '&') out += '-';
  }
  if (!units.empty()) append_shifted(out, units);
  return out;
}

std::string with_inbox(std::string name) {
  if (istarts_with(name, "INBOX") && (name.size() == 5 || name[5] == kDelimiter)) name.replace(0, 5, "INBOX");
  return name;
}

bool matches(std::string_view pattern, std::string_view name) {
  std::string folded;
  if (istarts_with(pattern, "INBOX") && istarts_with(name, "INBOX")) {
    folded = "INBOX" + std::string(pattern.substr(5));
    pattern = folded;
  }
  // reachable[i]: the pattern so far matches the first i octets of the name.
  std::vector<char> reachable(name.size() + 1, 0);
  reachable[0] = 1;
  for (char p : pattern) {
    if (p == '*' || p == '%') {
      for (std::size_t i = 1; i <= name.size(); ++i) {
        if (reachable[i - 1] != 0 && (p == '*' || name[i - 1] != kDelimiter)) reachable[i] = 1;
      }
      continue;
    }
    char any = 0;
    for (std::size_t i = name.size(); i > 0; --i) {
      reachable[i] = static_cast<char>(reachable[i - 1] != 0 && name[i - 1] == p);
      any |= reachable[i];
    }
    reachable[0] = 0;
    if (any == 0) return false;
  }
  return reachable[name.size()] != 0;
}

}  // namespace postern::imap
