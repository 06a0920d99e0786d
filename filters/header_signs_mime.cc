// Header signs: the MIME structure, and what it says of itself that is not so.  RFC 2045, RFC 2046 5.
#include <algorithm>
#include <unordered_set>

#include "filters/fnv.h"
#include "filters/header_reading.h"
#include "filters/letters.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

using mail::Part;

// The octets of bodies that may still be looked at.
class Budget {
 public:
  std::size_t take(std::size_t wanted) {
    std::size_t given = std::min({wanted, kMaxSignedBody, left_});
    left_ -= given;
    return given;
  }

 private:
  std::size_t left_ = kMaxSignedBodies;
};

bool is_text_leaf(const Part& part) { return part.kind == Part::Kind::leaf && part.type.type == "text" && part.disposition.kind != "attachment"; }

std::string_view body_start(const HeaderReading& reading, const Part& part, std::size_t octets) {
  return mail::body_of(reading.message, part).substr(0, octets);
}


// RFC 2045 6.8: lines of at most 76, a multiple of four letters; what else stands there is not data.
bool is_bad_base64(std::string_view body) {
  std::size_t letters = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= body.size(); ++i) {
    char c = i < body.size() ? body[i] : '\n';
    if (c == '\n') {
      if (i - begin > 78) return true;
      begin = i + 1;
    } else if (is_alpha(c) || is_digit(c) || c == '+' || c == '/') {
      ++letters;
    } else if (c != '=' && c != '\r' && c != ' ') {
      return true;
    }
  }
  return letters == 0 && body.size() > 100;
}

bool short_ascii_lines(std::string_view text) {
  if (!is_ascii(text) || text.size() < 20) return false;
  for (std::string_view line : split(text, '\n')) {
    if (line.size() > 990) return false;
  }
  return true;
}

void look_at_text(HeaderReading& reading, const Part& part, Budget& budget) {
  HeaderSigns& signs = reading.signs;
  std::string_view body = body_start(reading, part, budget.take(part.body_size()));
  bool whole = body.size() == part.body_size();
  std::string octets = mail::decode_body(body, part.encoding, kMaxSignedBody);
  bool eight_bit = !is_ascii(octets);
  std::string charset = ascii_lowered(part.charset());
  if (part.encoding == mail::TransferEncoding::base64) {
    if (short_ascii_lines(octets)) signs.set(HeaderSign::mime_needless_base64);
    if (is_bad_base64(body)) signs.set(HeaderSign::mime_bad_base64);
  }
  if (!charset.empty() && !mail::is_known_charset(charset)) signs.set(HeaderSign::mime_unknown_charset);
  if (!eight_bit) return;
  if (charset == "us-ascii" || charset == "ascii") signs.set(HeaderSign::mime_false_ascii);
  if (charset.empty()) signs.set(HeaderSign::mime_no_charset);
  // A cut may fall into a character.
  bool utf8 = charset == "utf-8" || charset == "utf8";
  if (utf8 && !is_utf8(octets)) {
    std::size_t bad_end = octets.size() - std::min<std::size_t>(octets.size(), 3);
    std::size_t cut = octets.size();
    while (!whole && cut > bad_end && !is_utf8(std::string_view(octets).substr(0, cut))) --cut;
    if (!is_utf8(std::string_view(octets).substr(0, cut))) signs.set(HeaderSign::mime_false_utf8);
  }
}

void look_at_transfer(HeaderReading& reading, const Part& part, std::string_view body) {
  HeaderSigns& signs = reading.signs;
  constexpr std::array<std::string_view, 11> kEncodings = {"", "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue", "7-bit", "8-bit"};
  if (std::find(kEncodings.begin(), kEncodings.end(), part.encoding_word) == kEncodings.end()) signs.set(HeaderSign::mime_unknown_encoding);
  if (part.kind != Part::Kind::leaf) {
    bool encoded = part.encoding_word == "base64" || part.encoding_word == "quoted-printable";
    if (encoded && part.type.type == "multipart") signs.set(HeaderSign::mime_encoded_multipart);
    return;
  }
  if (part.encoding_word == "7bit" && !is_ascii(body)) signs.set(HeaderSign::mime_false_7bit);
  if (part.disposition.kind == "attachment" && part.type.type == "text" && part.file_name().empty()) signs.set(HeaderSign::mime_bare_text_file);
}

bool has_long_line(std::string_view body) {
  std::size_t begin = 0;
  while (begin < body.size()) {
    std::size_t end = std::min(body.find('\n', begin), body.size());
    if (end - begin > 999) return true;
    begin = end + 1;
  }
  return false;
}

// Words of three letters and more, as hashes; of at most 5,000.
std::unordered_set<std::uint64_t> word_set(std::string_view text) {
  constexpr std::size_t kMaxWords = 5000;
  std::unordered_set<std::uint64_t> out;
  std::uint64_t hash = kFnvBegin;
  std::size_t letters = 0;
  for (std::size_t at = 0; at < text.size() && out.size() < kMaxWords;) {
    std::size_t begin = at;
    char32_t c = next_character(text, at);
    if (is_letter(c) || (c < 0x80 && is_digit(static_cast<char>(c)))) {
      hash = fnv(ascii_lowered(text.substr(begin, at - begin)), hash);
      ++letters;
    } else if (letters > 0) {
      if (letters >= 3) out.insert(hash);
      hash = kFnvBegin;
      letters = 0;
    }
  }
  if (letters >= 3) out.insert(hash);
  return out;
}

// Links are written out in plain text and hidden in HTML: they are no words.
std::string without_links(std::string_view text) {
  std::string out;
  for (std::string_view word : split(text, ' ')) {
    if (word.find("://") == std::string_view::npos && !istarts_with(word, "www.")) {
      out += word;
      out += ' ';
    }
  }
  return out;
}

std::string lines_as_spaces(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}

void look_at_alternative(HeaderReading& reading, std::size_t index, Budget& budget) {
  HeaderSigns& signs = reading.signs;
  auto children = reading.table.children(index);
  if (children.size() < 2) signs.set(HeaderSign::mime_alternative_of_one);
  const Part* plain = nullptr;
  const Part* html = nullptr;
  // The HTML text may stand in multipart/related with its pictures: the first of both below this part.
  for (std::size_t i = index + 1; i < reading.table.parts.size() && i < index + kMaxSignedParts; ++i) {
    const Part& part = reading.table.parts[i];
    if (part.header >= reading.table.parts[index].end) break;
    if (plain == nullptr && part.is("text", "plain")) plain = &part;
    if (html == nullptr && part.is("text", "html")) html = &part;
  }
  if (plain == nullptr && !children.empty()) signs.set(HeaderSign::mime_alternative_no_plain);
  if (plain == nullptr || html == nullptr) return;
  std::size_t plain_room = budget.take(plain->body_size()), html_room = budget.take(html->body_size());
  auto text = [&](const Part& part, std::size_t room) {
    Part start = part;
    start.end = static_cast<std::uint32_t>(part.body + room);
    return mail::part_text(reading.message, start, kMaxSignedBody);
  };
  auto said = word_set(without_links(lines_as_spaces(text(*plain, plain_room))));
  bool cut = html_room < html->body_size() || plain_room < plain->body_size();
  if (said.size() < 10 || cut) return;   // too little to compare, or not to the end
  auto shown = word_set(lines_as_spaces(mail::html_to_text(text(*html, html_room))));
  auto missing = std::count_if(said.begin(), said.end(), [&](std::uint64_t word) { return !shown.contains(word); });
  double share = static_cast<double>(missing) / static_cast<double>(said.size());
  double before = signs.value(HeaderSign::mime_alternative_difference).value_or(0);
  signs.set(HeaderSign::mime_alternative_difference, std::max(before, share));
  if (share > 0.6) signs.set(HeaderSign::mime_alternative_differs);
}

std::size_t solid_octets(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_wsp(c) && c != '\r' && c != '\n'; }));
}

void look_at_multipart(HeaderReading& reading, std::size_t index, Budget& budget) {
  HeaderSigns& signs = reading.signs;
  const Part& part = reading.table.parts[index];
  auto children = reading.table.children(index);
  std::string boundary(part.type.parameters.plain("boundary"));
  if (boundary.empty() || children.empty()) signs.set(HeaderSign::mime_no_boundary);
  constexpr std::size_t kThunderbird = 12;   // dashes that it puts before its digits
  std::size_t dashes = std::min(boundary.find_first_not_of('-'), boundary.size());
  std::string_view marks = std::string_view(boundary).substr(dashes);
  if (dashes < kThunderbird && !marks.empty() && std::all_of(marks.begin(), marks.end(), is_digit) && marks.size() >= 8) signs.set(HeaderSign::mime_boundary_digits);
  if (!boundary.empty() && boundary.size() < 8) signs.set(HeaderSign::mime_boundary_short);
  bool alternative = part.is("multipart", "alternative");
  if (alternative) look_at_alternative(reading, index, budget);
  if (!alternative && children.size() == 1 && (part.is("multipart", "mixed") || part.is("multipart", "related"))) signs.set(HeaderSign::mime_multipart_of_one);
  if (children.empty() || index != 0) return;
  std::string_view before = reading.message.substr(part.body, std::min<std::size_t>(reading.table.parts[children.front()].header - part.body, kMaxSignedBody));
  before = before.substr(0, before.rfind("--" + boundary.substr(0, 70)));
  // "This is a multi-part message in MIME format." in all its forms.
  if (ifind(before, "mime") == std::string_view::npos && ifind(before, "multi") == std::string_view::npos) signs.set(HeaderSign::mime_preamble, solid_octets(before));
  std::string_view behind = reading.message.substr(reading.table.parts[children.back()].end);
  behind = behind.substr(0, kMaxSignedBody);
  std::size_t close = behind.find("--" + boundary + "--");
  if (close != std::string_view::npos) signs.set(HeaderSign::mime_epilogue, solid_octets(behind.substr(close + boundary.size() + 4)));
}

// RFC 2045 5.1: "type/subtype", parameters "name=value" behind single semicolons.
bool is_bad_type(std::string_view raw) {
  std::string line = mail::unfolded(raw.substr(0, 2048));
  std::string_view type = trimmed(std::string_view(line).substr(0, line.find(';')));
  std::size_t slash = type.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == type.size()) return true;
  if (type.find_first_of(" \t\"=") != std::string_view::npos) return true;
  return line.find(";;") != std::string::npos || line.find("; ;") != std::string::npos;
}

}  // namespace

void find_mime_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  const auto& parts = reading.table.parts;
  bool structured = parts.size() > 1 || reading.has(Known::content_transfer_encoding) || (reading.has(Known::content_type) && parts.front().type.type != "text");
  reading.set_missing(HeaderSign::mime_no_version, structured && !reading.has(Known::mime_version));
  std::string version = reading.line(Known::mime_version);
  version = version.substr(0, version.find('('));
  signs.set(HeaderSign::mime_odd_version, reading.has(Known::mime_version) && trimmed(version) != "1.0");
  signs.set(HeaderSign::mime_bad_type, reading.has(Known::content_type) && is_bad_type(reading.raw(Known::content_type)));
  Budget budget;
  bool plain = false, html = false, long_line = false;
  for (std::size_t i = 0; i < parts.size() && i < kMaxSignedParts; ++i) {
    const Part& part = parts[i];
    if (part.type.type == "multipart") look_at_multipart(reading, i, budget);
    std::string_view body = part.kind == Part::Kind::leaf ? body_start(reading, part, kMaxSignedBody) : std::string_view();
    look_at_transfer(reading, part, body);
    if (!is_text_leaf(part)) continue;
    long_line = long_line || has_long_line(body);
    plain = plain || part.type.subtype == "plain";
    html = html || part.type.subtype == "html";
    look_at_text(reading, part, budget);
  }
  signs.set(HeaderSign::mime_html_only, html && !plain);
  signs.set(HeaderSign::mime_long_body_lines, long_line);
}

}  // namespace postern::filters
