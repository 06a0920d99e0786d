// JSON as text.  RFC 8259 7.
#include "gateway/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gateway/base/text.h"

namespace postern {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

void escape(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  auto octet = static_cast<unsigned char>(c);
  if (octet >= 0x20 && octet != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[octet >> 4];
  out += kHex[octet & 15];
}

// How many octets the character at the begin of `text` takes; 0: it is none.
std::size_t character(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  bool sound = is_utf8(text);
  out += '"';
  while (!text.empty()) {
    auto octet = static_cast<unsigned char>(text[0]);
    std::size_t length = sound || octet < 0x80 ? 1 : character(text);
    if (length == 0) out += kReplacement;
    else if (length == 1) escape(out, text[0]);
    else out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  out += '"';
}

void JsonText::begin(std::string_view name) {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[') out_ += ',';
  if (name.data() == nullptr) return;
  append_json(out_, name);
  out_ += ':';
}

void JsonText::open(char bracket, std::string_view name) {
  begin(name);
  out_ += bracket;
}
void JsonText::close(char bracket) { out_ += bracket; }

void JsonText::member(std::string_view name, std::string_view value) {
  begin(name);
  append_json(out_, value);
}
void JsonText::text(std::string_view value) {
  begin({});
  append_json(out_, value);
}
void JsonText::count(std::string_view name, std::uint64_t value) { raw(name, std::to_string(value)); }
void JsonText::yes(std::string_view name) { raw(name, "true"); }

void JsonText::number(std::string_view name, double value) {
  char digits[32];
  auto end = std::to_chars(digits, digits + sizeof digits, std::isfinite(value) ? value : 0.0).ptr;
  raw(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void JsonText::raw(std::string_view name, std::string_view json) {
  begin(name);
  out_ += json;
}

}  // namespace postern
