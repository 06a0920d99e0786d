// The tokenizer of HTML pages: states of HTML 13.2.5 as far as they tell where tags, attributes and text begin and end.
#include "filters/html_tokens.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/mail/html.h"

namespace postern::filters {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\f";

// Their text ends with their own end tag alone, HTML 13.2.5.2 to 13.2.5.5.  Not <noscript>: mail programs run no scripts.
constexpr std::array<std::string_view, 8> kRaw = {"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"};

bool has_references(std::string_view element) { return iequals(element, "title") || iequals(element, "textarea"); }

}  // namespace

std::optional<std::string_view> HtmlToken::attribute(std::string_view name) const {
  for (const auto& attribute : attributes) {
    if (iequals(attribute.name, name)) return attribute.value;
  }
  return std::nullopt;
}

bool HtmlTokens::next(HtmlToken& token) {
  token = HtmlToken();
  if (!raw_.empty() && raw_text(token)) return true;
  while (at_ < html_.size()) {
    if (!begins_markup(at_)) {
      text(token);
      return true;
    }
    if (markup(token)) return true;
  }
  return false;
}

// Anything else behind "<" makes it text.
bool HtmlTokens::begins_markup(std::size_t at) const {
  if (html_[at] != '<' || at + 1 >= html_.size()) return false;
  char next = html_[at + 1];
  return is_alpha(next) || next == '!' || next == '?' || (next == '/' && at + 2 < html_.size());
}

void HtmlTokens::text(HtmlToken& token) {
  std::size_t end = at_;
  do {
    end = std::min(html_.find('<', end + 1), html_.size());
  } while (end < html_.size() && !begins_markup(end));
  token.kind = HtmlToken::Kind::text;
  token.text = html_.substr(at_, end - at_);
  at_ = end;
}

// The text before its own end tag; false: there is none.
bool HtmlTokens::raw_text(HtmlToken& token) {
  std::size_t end = at_;
  for (;; end += 2) {
    end = html_.find("</", end);
    if (end == std::string_view::npos) {
      end = html_.size();
      break;
    }
    std::string_view rest = html_.substr(end + 2);
    if (!istarts_with(rest, raw_)) continue;
    if (rest.size() > raw_.size() && (is_html_space(rest[raw_.size()]) || rest[raw_.size()] == '/' || rest[raw_.size()] == '>')) break;
  }
  token.kind = HtmlToken::Kind::text;
  token.raw = !has_references(raw_);
  token.text = html_.substr(at_, end - at_);
  raw_ = {};
  at_ = end;
  return !token.text.empty();
}

bool HtmlTokens::markup(HtmlToken& token) {
  char next = html_[at_ + 1];
  if (is_alpha(next)) return tag(token, false);
  if (next == '/') {
    char name = html_[at_ + 2];
    if (is_alpha(name)) return tag(token, true);
    if (name != '>') return bogus_comment(token, 2);
    at_ += 3;   // "</>" is nothing
    return false;
  }
  if (html_.substr(at_, 4) == "<!--") return comment(token);
  bool doctype = istarts_with(html_.substr(at_), "<!doctype");
  return bogus_comment(token, 2) && !doctype;
}

bool HtmlTokens::bogus_comment(HtmlToken& token, std::size_t skip) {
  std::size_t begin = at_ + skip;
  std::size_t end = std::min(html_.find('>', begin), html_.size());
  token.kind = HtmlToken::Kind::comment;
  token.text = html_.substr(begin, end - begin);
  at_ = std::min(end + 1, html_.size());
  return true;
}

bool HtmlTokens::comment(HtmlToken& token) {
  std::size_t begin = at_ + 4;
  token.kind = HtmlToken::Kind::comment;
  std::string_view rest = html_.substr(begin);
  if (rest.starts_with('>') || rest.starts_with("->")) {   // 13.2.5.43, 44: empty
    at_ = begin + (rest.starts_with('>') ? 1 : 2);
    return true;
  }
  // "-->" or "--!>", whichever comes first, in one scan.
  std::size_t end = begin;
  std::size_t behind = html_.size();
  for (;; ++end) {
    end = html_.find("--", end);
    if (end == std::string_view::npos) break;
    std::string_view close = html_.substr(end + 2, 2);
    if (close.starts_with('>') || close == "!>") {
      behind = end + (close.starts_with('>') ? 3 : 4);
      break;
    }
  }
  token.text = html_.substr(begin, std::min(end, html_.size()) - begin);
  at_ = behind;
  return true;
}

bool HtmlTokens::tag(HtmlToken& token, bool closing) {
  std::size_t begin = at_ + (closing ? 2 : 1);
  std::size_t end = begin;
  while (end < html_.size() && !is_html_space(html_[end]) && html_[end] != '/' && html_[end] != '>') ++end;
  token.kind = closing ? HtmlToken::Kind::end_tag : HtmlToken::Kind::start_tag;
  token.text = html_.substr(begin, end - begin);
  at_ = end;
  if (!attributes()) return false;
  if (closing) return true;
  token.attributes = attributes_;
  auto raw = std::find_if(kRaw.begin(), kRaw.end(), [&](std::string_view name) { return iequals(name, token.text); });
  if (raw != kRaw.end()) raw_ = *raw;
  return true;
}

// To behind the ">".  False: the page ends before, and the tag is none (13.2.5.32).
bool HtmlTokens::attributes() {
  attributes_.clear();
  for (;;) {
    while (at_ < html_.size() && (is_html_space(html_[at_]) || html_[at_] == '/')) ++at_;
    if (at_ >= html_.size()) return false;
    if (html_[at_] == '>') {
      ++at_;
      return true;
    }
    std::size_t begin = at_++;   // a "=" here belongs to the name, 13.2.5.32
    while (at_ < html_.size() && !is_html_space(html_[at_]) && html_[at_] != '/' && html_[at_] != '>' && html_[at_] != '=') ++at_;
    HtmlAttribute attribute;
    attribute.name = html_.substr(begin, at_ - begin);
    std::size_t behind = std::min(html_.find_first_not_of(kSpaces, at_), html_.size());
    if (behind < html_.size() && html_[behind] == '=') {
      at_ = behind + 1;
      if (!attribute_value(attribute.value)) return false;
    }
    if (attributes_.size() < kMaxHtmlAttributes) attributes_.push_back(attribute);
  }
}

bool HtmlTokens::attribute_value(std::string_view& value) {
  at_ = std::min(html_.find_first_not_of(kSpaces, at_), html_.size());
  if (at_ >= html_.size()) return false;
  char quote = html_[at_];
  if (quote == '"' || quote == '\'') {
    std::size_t close = html_.find(quote, at_ + 1);
    if (close == std::string_view::npos) {
      at_ = html_.size();
      return false;
    }
    value = html_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    return true;
  }
  std::size_t begin = at_;
  while (at_ < html_.size() && !is_html_space(html_[at_]) && html_[at_] != '>') ++at_;
  value = html_.substr(begin, at_ - begin);
  return true;
}

std::string html_attribute_value(std::string_view value, std::size_t limit) {
  std::string out;
  std::size_t at = 0;
  while (at < value.size() && out.size() <= limit) {
    std::size_t mark = std::min(value.find('&', at), value.size());
    out += value.substr(at, std::min(mark - at, limit + 1));
    at = mark;
    if (at >= value.size()) break;
    auto reference = mail::character_reference(value.substr(at), true);
    if (reference) append_utf8(out, reference->character);
    if (!reference) out += '&';
    at += reference ? reference->length : 1;
  }
  cut_utf8(out, limit);
  return out;
}

void cut_utf8(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
}

}  // namespace postern::filters
