// Reads rule files as far as it must to find the numbers, and no further: the lexical rules of Lua 5.4 (manual, 3.1), and
// of its grammar the one form  rule "name" { ..., points = NUMBER or { name = NUMBER, ... }, ... }.
#include "filters/fit_points.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace postern::filters {
namespace {

constexpr std::size_t kContext = 3;

enum class Kind { end, word, text, number, mark };

struct Token {
  Kind kind = Kind::end;
  std::string_view text;      // of a text without its quotes, escapes as written
  std::size_t offset = 0;
  int line = 1;
  bool is(char mark) const { return kind == Kind::mark && text.size() == 1 && text[0] == mark; }
  bool is_word(std::string_view word) const { return kind == Kind::word && text == word; }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    skip_space_and_comments();
    Token token{Kind::end, {}, at_, line_};
    if (at_ >= text_.size()) return token;
    char c = text_[at_];
    if (is_letter(c)) {
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
      token.kind = Kind::word;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
      token.kind = Kind::number;
    } else if (c == '"' || c == '\'') {
      return quoted(token);
    } else if (c == '[' && long_bracket()) {
      return long_text(token);
    } else {
      ++at_;
      token.kind = Kind::mark;
    }
    token.text = text_.substr(token.offset, at_ - token.offset);
    return token;
  }

 private:
  char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void step() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }

  void number() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      bool sign = (c == '+' || c == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
      if (!is_letter(c) && !is_digit(c) && c != '.' && !sign) break;
      ++at_;
    }
  }

  Token quoted(Token token) {
    char quote = text_[at_++];
    std::size_t from = at_;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) step();
      step();
    }
    token.kind = Kind::text;
    token.text = text_.substr(from, std::min(at_, text_.size()) - from);
    if (at_ < text_.size() && text_[at_] == quote) ++at_;
    return token;
  }

  // The closing bracket of the long bracket that begins here, or "".
  std::string_view closing() const {
    std::size_t level = 0;
    while (peek(1 + level) == '=') ++level;
    if (peek(1 + level) != '[') return {};
    // "]==]" is not in the text; compare with what opened instead.
    return text_.substr(at_, level + 2);
  }
  bool long_bracket() const { return !closing().empty(); }

  Token long_text(Token token) {
    std::string_view opened = closing();
    at_ += opened.size();
    std::size_t from = at_;
    std::size_t level = opened.size() - 2;
    while (at_ < text_.size() && !closes(level)) step();
    token.kind = Kind::text;
    token.text = text_.substr(from, at_ - from);
    at_ = std::min(text_.size(), at_ + level + 2);
    return token;
  }

  bool closes(std::size_t level) const {
    if (peek(0) != ']' || peek(1 + level) != ']') return false;
    for (std::size_t i = 0; i < level; ++i) {
      if (peek(1 + i) != '=') return false;
    }
    return true;
  }

  void skip_space_and_comments() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v') {
        step();
      } else if (c == '-' && peek(1) == '-') {
        at_ += 2;
        if (peek(0) == '[' && long_bracket()) {
          long_text({});
        } else {
          while (at_ < text_.size() && text_[at_] != '\n') ++at_;
        }
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : lexer_(text) { token_ = lexer_.next(); }

  std::vector<PointsPlace> read() {
    while (token_.kind != Kind::end && places_.size() < kMaxPointsPlaces) {
      bool is_rule = token_.is_word("rule");
      advance();
      if (is_rule) rule();
    }
    return std::move(places_);
  }

 private:
  void advance() { token_ = lexer_.next(); }

  bool take(char mark) {
    if (!token_.is(mark)) return false;
    advance();
    return true;
  }

  // rule "name" { or rule("name") { or rule("name")({
  void rule() {
    bool bracket = take('(');
    if (token_.kind != Kind::text) return;
    rule_ = std::string(token_.text);
    advance();
    if (bracket) take(')');
    take('(');
    if (!take('{')) return;
    fields();
  }

  // The fields of the rule's table; depth counts brackets of every kind, functions stand in them as they like.
  void fields() {
    int depth = 1;
    bool begins = true;    // of a field
    while (token_.kind != Kind::end && depth > 0) {
      if (depth == 1 && begins && token_.is_word("points")) {
        advance();
        begins = false;
        if (take('=')) value();
        continue;
      }
      if (token_.is_word("function") && depth == 1) {
        function();
        begins = false;
        continue;
      }
      begins = depth == 1 && (token_.is(',') || token_.is(';'));
      if (token_.is('{') || token_.is('(') || token_.is('[')) ++depth;
      if (token_.is('}') || token_.is(')') || token_.is(']')) --depth;
      advance();
    }
  }

  // Over the words that want an `end`; `while` and `for` have their `do`, `repeat` its `until`.
  void function() {
    int open = 0;
    while (token_.kind != Kind::end) {
      if (token_.is_word("function") || token_.is_word("if") || token_.is_word("do")) ++open;
      bool ends = token_.is_word("end");
      advance();
      if (ends && --open == 0) return;
    }
  }

  void value() {
    if (!take('{')) {
      number("");
      return;
    }
    while (token_.kind != Kind::end && !token_.is('}') && places_.size() < kMaxPointsPlaces) {
      std::string variant;
      bool bracket = take('[');
      if (token_.kind == Kind::word || (bracket && token_.kind == Kind::text)) {
        variant = std::string(token_.text);
        advance();
      }
      if (bracket) take(']');
      if (variant.empty() || !take('=')) {
        advance();
        continue;
      }
      number(variant);
      if (!take(',')) take(';');
    }
    take('}');
  }

  void number(const std::string& variant) {
    PointsPlace place;
    place.rule = rule_;
    place.variant = variant;
    place.line = token_.line;
    place.offset = token_.offset;
    bool minus = take('-');
    std::string digits(token_.text);
    char* end = nullptr;
    place.points = std::strtod(digits.c_str(), &end) * (minus ? -1 : 1);
    place.spam = !minus;
    place.length = token_.offset + token_.text.size() - place.offset;
    place.plain = token_.kind == Kind::number && *end == '\0' && std::isfinite(place.points);
    advance();
    // 2 * x, limits.junk, "2": what somebody computes is not ours.
    if (!token_.is(',') && !token_.is(';') && !token_.is('}')) place.plain = false;
    int depth = 0;
    while (token_.kind != Kind::end && (depth > 0 || (!token_.is(',') && !token_.is(';') && !token_.is('}')))) {
      if (token_.is('{') || token_.is('(') || token_.is('[')) ++depth;
      if (token_.is('}') || token_.is(')') || token_.is(']')) --depth;
      advance();
    }
    if (!place.plain) place.points = 0;
    places_.push_back(std::move(place));
  }

  Lexer lexer_;
  Token token_;
  std::string rule_;
  std::vector<PointsPlace> places_;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    auto end = text.find('\n');
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

std::vector<PointsPlace> points_places(std::string_view text) {
  if (text.size() > kMaxRuleFile) return {};
  return Reader(text).read();
}

std::string points_text(double points) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", points);
  std::string out = buffer;
  while (out.ends_with('0')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
  return out;
}

Result<std::string> with_points(std::string_view text, const std::map<std::string, double>& points) {
  std::string out;
  std::size_t copied = 0;
  for (const auto& place : points_places(text)) {
    auto found = points.find(place.name());
    if (found == points.end()) continue;
    if (!place.plain) return Error("line " + std::to_string(place.line) + ": the points of " + place.name() + " are no plain number");
    if (points_text(found->second) == points_text(place.points)) continue;
    out += text.substr(copied, place.offset - copied);
    out += points_text(found->second);
    copied = place.offset + place.length;
  }
  out += text.substr(copied);
  return out;
}

std::string points_diff(std::string_view name, std::string_view before, std::string_view after) {
  auto old_lines = lines_of(before);
  auto new_lines = lines_of(after);
  std::size_t count = std::min(old_lines.size(), new_lines.size());
  auto same = [&](std::size_t i) { return old_lines[i] == new_lines[i]; };
  std::string out;
  for (std::size_t i = 0; i < count;) {
    if (same(i)) {
      ++i;
      continue;
    }
    if (out.empty()) out = "--- a/" + std::string(name) + "\n+++ b/" + std::string(name) + "\n";
    std::size_t from = i < kContext ? 0 : i - kContext;
    std::size_t last = i;     // changed line of this hunk
    for (std::size_t j = i; j < count && j <= last + 2 * kContext; ++j) {
      if (!same(j)) last = j;
    }
    std::size_t to = std::min(count, last + kContext + 1);
    std::string range = std::to_string(from + 1) + "," + std::to_string(to - from);
    out += "@@ -" + range + " +" + range + " @@\n";
    for (std::size_t j = from; j < to;) {
      if (same(j)) {
        out += " " + std::string(old_lines[j++]) + "\n";
        continue;
      }
      std::size_t end = j;
      while (end < to && !same(end)) ++end;
      for (std::size_t k = j; k < end; ++k) out += "-" + std::string(old_lines[k]) + "\n";
      for (std::size_t k = j; k < end; ++k) out += "+" + std::string(new_lines[k]) + "\n";
      j = end;
    }
    i = to;
  }
  return out;
}

}  // namespace postern::filters
