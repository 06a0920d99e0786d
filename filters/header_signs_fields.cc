// Header signs: the fields as they are written, and encoded words.  RFC 5322 2.2, 3.6; RFC 2047.
#include <algorithm>

#include "filters/header_reading.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/encoded_word.h"

namespace postern::filters {
namespace {

// RFC 5322 3.6: at most one of each.
constexpr std::array<Known, 14> kOnce = {Known::from, Known::sender, Known::reply_to, Known::to, Known::cc, Known::bcc, Known::subject,
                                         Known::date, Known::message_id, Known::in_reply_to, Known::references, Known::mime_version,
                                         Known::content_type, Known::content_transfer_encoding};
constexpr std::array<Known, 6> kNeedValue = {Known::from, Known::to, Known::subject, Known::date, Known::message_id, Known::reply_to};
// Written by every program; others are too seldom to say much.
constexpr std::array<std::string_view, 8> kCommon = {"From", "To", "Cc", "Subject", "Date", "Reply-To", "MIME-Version", "Message-ID"};

bool is_common(std::string_view name) {
  return std::any_of(kCommon.begin(), kCommon.end(), [&](std::string_view common) { return iequals(common, name); });
}

// Mail programs write each word with a capital or all of the name small; ID and MIME may be capitals.
bool is_odd_case(std::string_view name) {
  if (name == "MIME-Version" || name == "Message-ID" || name == "CC") return false;
  bool small = true, title = true, begins = true;
  for (char c : name) {
    bool upper = c >= 'A' && c <= 'Z';
    small = small && !upper;
    title = title && (!is_alpha(c) || upper == begins);
    begins = c == '-';
  }
  return !small && !title;
}

struct RawSeen {
  std::size_t blank_folds = 0;
  bool long_line = false, eight_bit = false, control = false;
};

RawSeen look_at(std::string_view raw) {
  RawSeen out;
  std::size_t line_begin = 0;
  bool blank = false, folded = false;
  for (std::size_t i = 0; i <= raw.size(); ++i) {
    char c = i < raw.size() ? raw[i] : '\n';
    if (c == '\n') {
      if (folded && blank) ++out.blank_folds;
      out.long_line = out.long_line || i - line_begin > 998;
      line_begin = i + 1;
      blank = folded = true;
      continue;
    }
    auto octet = static_cast<unsigned char>(c);
    if (!is_wsp(c) && c != '\r') blank = false;
    out.eight_bit = out.eight_bit || octet >= 0x80;
    out.control = out.control || (octet < 0x20 && c != '\t' && c != '\r') || octet == 0x7f;
  }
  return out;
}

// One encoded word of a field.
struct Word {
  std::string_view charset;
  bool base64 = false;
  std::string_view text;
  std::size_t begin = 0, end = 0;
};

std::vector<Word> encoded_words(std::string_view field) {
  constexpr std::size_t kMaxWords = 200;
  std::vector<Word> out;
  std::size_t at = 0;
  while (out.size() < kMaxWords && (at = field.find("=?", at)) != std::string_view::npos) {
    std::size_t first = field.find('?', at + 2);
    std::size_t second = first == std::string_view::npos ? first : field.find('?', first + 1);
    if (second == std::string_view::npos) break;
    std::size_t close = field.find("?=", second + 1);
    if (close == std::string_view::npos) break;
    std::string_view encoding = field.substr(first + 1, second - first - 1);
    if (iequals(encoding, "b") || iequals(encoding, "q")) {
      std::string_view charset = field.substr(at + 2, first - at - 2);
      out.push_back({charset.substr(0, charset.find('*')), iequals(encoding, "b"), field.substr(second + 1, close - second - 1), at, close + 2});
      at = close + 2;
    } else {
      at += 2;
    }
  }
  return out;
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

struct WordsSeen {
  std::size_t broken = 0, unknown = 0, tiny = 0;
  bool mixed = false, line_end = false, needless_base64 = false, needless_quoted = false;
};

// What only encoded words can carry: none of it, so why are they there?
bool needs_no_encoding(std::string_view decoded) {
  // "=?" must be encoded, and long words of ASCII are encoded by some to fold them.
  return is_ascii(decoded) && decoded.find("=?") == std::string_view::npos && decoded.size() < 900;
}

WordsSeen look_at_words(std::string_view raw) {
  WordsSeen out;
  std::string field = mail::unfolded(raw);
  auto words = encoded_words(field);
  if (words.empty()) {
    std::size_t begin = field.find("=?");
    bool meant = begin != std::string::npos && std::count(field.begin() + static_cast<std::ptrdiff_t>(begin) + 2, field.end(), '?') >= 2;
    if (meant) out.broken = 1;
    return out;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Word& word = words[i];
    if (!mail::is_known_charset(word.charset)) ++out.unknown;
    out.mixed = out.mixed || !iequals(word.charset, words.front().charset);
    std::string decoded = mail::decode_words(std::string_view(field).substr(word.begin, word.end - word.begin));
    bool stayed = decoded.find("=?") != std::string::npos || decoded.find("\xef\xbf\xbd") != std::string::npos;
    if (stayed) ++out.broken;
    bool followed = i + 1 < words.size() && trimmed(std::string_view(field).substr(word.end, words[i + 1].begin - word.end)).empty();
    if (followed && characters(decoded) <= 3) ++out.tiny;
    out.line_end = out.line_end || decoded.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
  }
  if (!needs_no_encoding(mail::decode_words(field))) return out;
  (words.front().base64 ? out.needless_base64 : out.needless_quoted) = true;
  return out;
}

// Inside of <...>, or joined to an at sign.  RFC 2047 5 (3).
bool has_word_in_address(std::string_view raw) {
  std::string field = mail::unfolded(raw);
  for (const Word& word : encoded_words(field)) {
    std::string_view before = std::string_view(field).substr(0, word.begin);
    std::size_t open = before.rfind('<');
    bool bracket = open != std::string_view::npos && before.find('>', open) == std::string_view::npos;
    bool joined = (!before.empty() && before.back() == '@') || (word.end < field.size() && field[word.end] == '@');
    if (bracket || joined) return true;
  }
  return false;
}

}  // namespace

void find_field_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  reading.set_missing(HeaderSign::no_from, !reading.has(Known::from));
  reading.set_missing(HeaderSign::no_date, !reading.has(Known::date));
  reading.set_missing(HeaderSign::no_message_id, !reading.has(Known::message_id));
  reading.set_missing(HeaderSign::no_subject, !reading.has(Known::subject));
  reading.set_missing(HeaderSign::no_recipient_field, !reading.has(Known::to) && !reading.has(Known::cc) && !reading.has(Known::bcc));
  signs.set(HeaderSign::empty_fields, std::count_if(kNeedValue.begin(), kNeedValue.end(), [&](Known field) {
    return reading.has(field) && trimmed(reading.raw(field)).empty();
  }));
  signs.set(HeaderSign::repeated_fields, std::count_if(kOnce.begin(), kOnce.end(), [&](Known field) { return reading.count(field) > 1; }));
  signs.set(HeaderSign::repeated_from, reading.count(Known::from) > 1);
  signs.set(HeaderSign::repeated_subject, reading.count(Known::subject) > 1);
  signs.set(HeaderSign::repeated_content_type, reading.count(Known::content_type) > 1);

  std::size_t nameless = 0, spaced = 0, joined = 0, tabbed = 0, odd = 0, blank = 0, raw_fields = 0;
  bool long_line = false, not_utf8 = false, control = false;
  for (std::size_t i = 0; i < reading.all.size(); ++i) {
    const mail::HeaderField& field = reading.all[i];
    RawSeen seen = look_at(field.raw);
    long_line = long_line || seen.long_line;
    control = control || seen.control;
    blank += seen.blank_folds;
    if (seen.eight_bit) {
      ++raw_fields;
      not_utf8 = not_utf8 || !is_utf8(field.raw);
    }
    if (field.name.empty()) {
      if (i > 0 || !field.raw.starts_with("From ")) ++nameless;   // the first line of an mbox is no mistake of the sender's
      continue;
    }
    std::string_view behind = reading.message.substr(field.begin + field.name.size(), 1);
    if (!behind.empty() && is_wsp(behind.front())) ++spaced;
    if (!is_common(field.name)) continue;
    if (is_odd_case(field.name)) ++odd;
    if (!field.raw.empty() && field.raw.front() == '\t') ++tabbed;
    if (!field.raw.empty() && !is_wsp(field.raw.front()) && field.raw.front() != '\r' && field.raw.front() != '\n') ++joined;
  }
  signs.set(HeaderSign::lines_without_name, nameless);
  signs.set(HeaderSign::space_before_colon, spaced);
  signs.set(HeaderSign::no_space_after_colon, joined);
  signs.set(HeaderSign::tab_after_colon, tabbed);
  signs.set(HeaderSign::odd_case_of_names, odd);
  signs.set(HeaderSign::blank_folded_lines, blank);
  signs.set(HeaderSign::long_header_line, long_line);
  signs.set(HeaderSign::raw_8bit_fields, raw_fields);
  signs.set(HeaderSign::raw_not_utf8, not_utf8);
  signs.set(HeaderSign::raw_8bit_from, !is_ascii(reading.raw(Known::from)));
  signs.set(HeaderSign::raw_8bit_subject, !is_ascii(reading.raw(Known::subject)));
  signs.set(HeaderSign::control_characters, control);
}

void find_encoding_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  WordsSeen from = look_at_words(reading.raw(Known::from));
  WordsSeen to = look_at_words(reading.raw(Known::to));
  WordsSeen subject = look_at_words(reading.raw(Known::subject));
  signs.set(HeaderSign::subject_needless_base64, subject.needless_base64);
  signs.set(HeaderSign::subject_needless_quoted, subject.needless_quoted);
  signs.set(HeaderSign::from_needless_base64, from.needless_base64);
  signs.set(HeaderSign::from_needless_quoted, from.needless_quoted);
  signs.set(HeaderSign::broken_encoded_words, from.broken + to.broken + subject.broken);
  signs.set(HeaderSign::unknown_word_charsets, from.unknown + to.unknown + subject.unknown);
  signs.set(HeaderSign::mixed_word_charsets, from.mixed || to.mixed || subject.mixed);
  signs.set(HeaderSign::tiny_encoded_words, from.tiny + subject.tiny);
  bool in_address = has_word_in_address(reading.raw(Known::from)) || has_word_in_address(reading.raw(Known::to)) || has_word_in_address(reading.raw(Known::reply_to));
  signs.set(HeaderSign::encoded_word_in_address, in_address);
  signs.set(HeaderSign::encoded_line_end, from.line_end || to.line_end || subject.line_end);
}

}  // namespace postern::filters
