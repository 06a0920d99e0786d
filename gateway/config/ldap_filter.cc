// The grammar of RFC 4515 3, and addresses put into it.  The library would find a mistake only when it asks, and then
// every recipient would wait for the administrator to read the log.
#include "gateway/config/ldap_filter.h"

#include "gateway/base/text.h"

namespace postern::config {
namespace {

constexpr int kMaxDepth = 20;
constexpr std::size_t kMaxFilter = 4096;

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Grammar {
 public:
  explicit Grammar(std::string_view text) : text_(text) {}

  Status check() {
    if (text_.size() > kMaxFilter) return Error("is longer than " + std::to_string(kMaxFilter) + " octets");
    if (!text_.starts_with('(')) return Error("must stand in parentheses, such as (mail=%a)");
    filter(0);
    if (problem_.empty() && at_ < text_.size()) wrong("goes on behind its last parenthesis");
    if (problem_.empty() && !asks_) wrong("names nobody: it needs %a (the address) or %u (its local part)", false);
    if (problem_.empty()) return {};
    return Error(problem_);
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void wrong(std::string what, bool with_place = true) {
    if (!problem_.empty()) return;
    problem_ = std::move(what);
    if (with_place) problem_ += ", at its octet " + std::to_string(at_ + 1);
  }

  void filter(int depth) {
    if (depth > kMaxDepth) return wrong("has parentheses in parentheses without end");
    ++at_;   // '('
    if (next() == '&' || next() == '|') {
      ++at_;
      while (next() == '(' && problem_.empty()) filter(depth + 1);
    } else if (next() == '!') {
      ++at_;
      if (next() != '(') return wrong("needs a filter in parentheses behind the '!'");
      filter(depth + 1);
    } else {
      item();
    }
    if (!problem_.empty()) return;
    if (next() != ')') return wrong("needs a ')'");
    ++at_;
  }

  // attribute[:dn][:rule]:=value, attribute(=|~=|>=|<=)value
  void item() {
    auto from = at_;
    auto is_name = [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == ';'; };
    while (is_name(next())) ++at_;
    bool named = at_ > from;
    bool extensible = false;
    while (next() == ':' && text_.substr(at_, 2) != ":=") {
      ++at_;
      auto part = at_;
      while (is_name(next())) ++at_;
      if (at_ == part) return wrong("needs a matching rule behind the ':'");
      extensible = true;
    }
    if (!named && !extensible) return wrong("needs the name of an attribute");
    if (text_.substr(at_, 2) == ":=") at_ += 2;
    else if (extensible) return wrong("needs \":=\"");
    else if (next() == '=') return ++at_, value(true);
    else if (next() != '\0' && std::string_view("~<>").find(next()) != std::string_view::npos && text_.substr(at_ + 1, 1) == "=") at_ += 2;
    else return wrong("needs a '=' behind the attribute");
    value(false);
  }

  void value(bool may_have_stars) {
    while (at_ < text_.size() && next() != ')') {
      char c = next();
      if (c == '(' || static_cast<unsigned char>(c) < 0x20) return wrong("has in a value what must be written \\28 or in such a way");
      if (c == '*' && !may_have_stars) return wrong("has a '*' where none may be");
      if (c == '\\' && !(at_ + 2 < text_.size() && is_hex(text_[at_ + 1]) && is_hex(text_[at_ + 2]))) {
        return wrong("has a '\\' without two hexadecimal digits behind it");
      }
      if (c == '%') {
        char place = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (place != 'a' && place != 'u' && place != 'd' && place != '%') return wrong("knows %a, %u, %d and %% only");
        asks_ = asks_ || place == 'a' || place == 'u';
        ++at_;
      }
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool asks_ = false;
  std::string problem_;
};

}  // namespace

Status check_filter(std::string_view filter) { return Grammar(filter).check(); }

std::string filter_value(std::string_view value) {
  std::string out;
  for (char c : value) {
    bool plain = c > ' ' && c <= '~' && std::string_view("()*\\").find(c) == std::string_view::npos;
    if (plain) out += c;
    else out += "\\" + hex(std::string_view(&c, 1));
  }
  return out;
}

std::string filled_filter(std::string_view filter, std::string_view address) {
  auto at = address.rfind('@');
  auto local = address.substr(0, at);
  auto domain = at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
  std::string out;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] != '%' || i + 1 == filter.size()) {
      out += filter[i];
      continue;
    }
    switch (filter[++i]) {
      case 'a': out += filter_value(address); break;
      case 'u': out += filter_value(local); break;
      case 'd': out += filter_value(domain); break;
      default: out += '%';
    }
  }
  return out;
}

}  // namespace postern::config
