// Transfer encodings of RFC 2045 6, RFC 2047 4.2 and the older uuencode.
#include "gateway/mail/decode.h"

#include <algorithm>

#include "gateway/base/digits.h"
#include "gateway/base/text.h"

namespace postern::mail {

namespace {

// The octet of "=XY" at the start of `text`, or -1.
int escaped_octet(std::string_view text) {
  if (text.size() < 3) return -1;
  int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_bounded(std::string& out, std::string_view piece, std::size_t limit) {
  out.append(piece.substr(0, limit - std::min(limit, out.size())));
}

// Cuts the first line off, its line end included in neither.
std::string_view take_line(std::string_view& text) {
  auto at = text.find('\n');
  std::string_view line = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string decode_base64(std::string_view text, std::size_t limit) {
  std::string out(std::min(limit, text.size() / 4 * 3 + 3), '\0');
  char* write = out.data();
  char* const room = out.data() + out.size();
  std::size_t at = 0;
  while (at < text.size() && write < room) {
    // Whole groups of a line.
    while (at + 4 <= text.size() && room - write >= 3) {
      std::uint32_t a = base64_value(text[at]), b = base64_value(text[at + 1]);
      std::uint32_t c = base64_value(text[at + 2]), d = base64_value(text[at + 3]);
      if (((a | b | c | d) & 0xc0) != 0) break;
      std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
      *write++ = static_cast<char>(bits >> 16);
      *write++ = static_cast<char>(bits >> 8);
      *write++ = static_cast<char>(bits);
      at += 4;
    }
    // One group octet by octet, over line ends and rubbish, to padding or the end.
    std::uint32_t bits = 0;
    int count = 0;
    while (at < text.size() && count < 4) {
      char c = text[at++];
      if (c == '=') break;
      std::uint32_t value = base64_value(c);
      if (value == kNotBase64) continue;
      bits = bits << 6 | value;
      ++count;
    }
    bits <<= 6 * (4 - count);
    for (int octet = 0; octet + 1 < count && write < room; ++octet) *write++ = static_cast<char>(bits >> (16 - 8 * octet));
  }
  out.resize(static_cast<std::size_t>(write - out.data()));
  return out;
}

std::string decode_quoted_printable(std::string_view text, std::size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty() && out.size() < limit) {
    auto at = text.find('\n');
    bool last = at == std::string_view::npos;
    std::string_view line = text.substr(0, at);
    text.remove_prefix(last ? text.size() : at + 1);
    bool crlf = line.ends_with('\r');
    if (crlf) line.remove_suffix(1);
    // RFC 2045 6.7 (3): white space at a line end was added on the way.
    if (!last) {
      while (!line.empty() && is_wsp(line.back())) line.remove_suffix(1);
    }
    bool soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    for (auto equals = line.find('='); equals != std::string_view::npos; equals = line.find('=')) {
      append_bounded(out, line.substr(0, equals), limit);
      line.remove_prefix(equals);
      int octet = escaped_octet(line);
      char plain = octet < 0 ? '=' : static_cast<char>(octet);
      append_bounded(out, {&plain, 1}, limit);
      line.remove_prefix(octet < 0 ? 1 : 3);
    }
    append_bounded(out, line, limit);
    if (!soft && !last) append_bounded(out, crlf ? "\r\n" : "\n", limit);
  }
  return out;
}

std::string decode_q(std::string_view text, std::size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty() && out.size() < limit) {
    int octet = text.front() == '=' ? escaped_octet(text) : -1;
    if (octet >= 0) {
      out += static_cast<char>(octet);
      text.remove_prefix(3);
    } else {
      out += text.front() == '_' ? ' ' : text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string decode_uuencode(std::string_view text, std::size_t limit) {
  std::string out;
  for (;;) {
    if (text.empty()) return out;
    if (take_line(text).starts_with("begin ")) break;
  }
  while (!text.empty() && out.size() < limit) {
    std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (line == "end") break;
    auto sextet = [&line](std::size_t at) { return at < line.size() ? (static_cast<unsigned>(line[at]) - 32) & 63 : 0U; };
    std::size_t length = sextet(0);
    if (length == 0) continue;
    // Trailing blanks may be lost on the way (they mean zero), but no line holds more than its letters give.
    length = std::min(length, (line.size() - 1 + 3) / 4 * 3);
    for (std::size_t at = 1; length > 0; at += 4) {
      unsigned bits = sextet(at) << 18 | sextet(at + 1) << 12 | sextet(at + 2) << 6 | sextet(at + 3);
      const char octets[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
      std::size_t taken = std::min<std::size_t>(length, 3);
      append_bounded(out, {octets, taken}, limit);
      length -= taken;
    }
  }
  return out;
}

std::string decode_body(std::string_view body, TransferEncoding encoding, std::size_t limit) {
  switch (encoding) {
    case TransferEncoding::base64: return decode_base64(body, limit);
    case TransferEncoding::quoted_printable: return decode_quoted_printable(body, limit);
    case TransferEncoding::uuencode: return decode_uuencode(body, limit);
    case TransferEncoding::identity:
    case TransferEncoding::other: break;
  }
  return std::string(body.substr(0, limit));
}

}  // namespace postern::mail
