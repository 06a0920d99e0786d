// A recursive descent over meta expressions that carries with each piece what is known of it.
#include "filters/sa_meta.h"

#include <algorithm>
#include <optional>

#include "gateway/base/text.h"

namespace postern::filters::sa {
namespace {

constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxExpression = 32 * 1024;
constexpr std::size_t kMaxLua = 64 * 1024;

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_'; }

// A piece of Lua.  `truth`: it is a boolean, else a number.  `floor`: its precedence in Lua, for parentheses.
struct Piece {
  std::string lua;
  bool truth = false;
  Certainty certainty = Certainty::exact;
  int floor = 9;       // 1 or, 2 and, 3 comparison, 4 sum, 5 product, 6 not, 9 atom
  std::string unknown;  // the name that is at fault
};

Piece nothing(std::string name) {
  Piece out;
  out.certainty = Certainty::unknown;
  out.unknown = std::move(name);
  return out;
}

std::string wrapped(const Piece& piece, int floor) { return piece.floor < floor ? "(" + piece.lua + ")" : piece.lua; }

class Expression {
 public:
  Expression(std::string_view text, const std::function<Certainty(std::string_view)>& known, const std::function<std::vector<std::string>(std::string_view)>& matching)
      : text_(text), known_(known), matching_(matching) {}

  Result<Meta> whole() {
    if (text_.size() > kMaxExpression) return Error("its expression is too long");
    Piece piece = as_truth(any(0));
    skip();
    if (problem_.empty() && at_ != text_.size()) fail("\"" + printable(text_.substr(at_), 20) + "\" is not understood");
    if (!problem_.empty()) return Error(problem_);
    if (piece.certainty == Certainty::unknown) return Error("it depends on " + piece.unknown + ", which is not translated");
    return Meta{std::move(piece.lua), piece.certainty};
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view what) {
    skip();
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  Piece fail(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
    at_ = text_.size();
    return nothing("");
  }
  bool good() const { return problem_.empty(); }

  Piece as_truth(Piece piece) {
    if (piece.truth || piece.certainty == Certainty::unknown) return piece;
    if (piece.lua.starts_with("n.") && piece.floor == 9) {
      piece.lua = "is." + piece.lua.substr(2);
    } else {
      piece.lua = wrapped(piece, 4) + (piece.certainty == Certainty::exact ? " ~= 0" : " > 0");
      piece.floor = 3;
    }
    piece.truth = true;
    return piece;
  }
  Piece as_number(Piece piece) {
    if (!piece.truth || piece.certainty == Certainty::unknown) return piece;
    if (piece.lua.starts_with("is.") && piece.floor == 9) piece.lua = "n." + piece.lua.substr(3);
    else piece.lua = "(" + piece.lua + " and 1 or 0)", piece.floor = 9;
    piece.truth = false;
    return piece;
  }
  Piece joined(Piece left, std::string_view sign, const Piece& right, int floor, bool truth) {
    left.lua = wrapped(left, floor) + " " + std::string(sign) + " " + wrapped(right, floor + 1);
    left.floor = floor;
    left.truth = truth;
    if (right.certainty != Certainty::exact) left.certainty = right.certainty;
    if (left.lua.size() > kMaxLua) return fail("its expression grows too long");
    return left;
  }

  Piece any(int depth) {
    Piece left = all(depth);
    while (good() && take("||")) {
      Piece right = as_truth(all(depth));
      left = as_truth(std::move(left));
      if (left.certainty == Certainty::unknown && right.certainty == Certainty::unknown) continue;
      if (left.certainty == Certainty::unknown || right.certainty == Certainty::unknown) {
        if (left.certainty == Certainty::unknown) left = std::move(right);
        left.certainty = Certainty::at_least;
      } else {
        left = joined(std::move(left), "or", right, 1, true);
      }
    }
    return left;
  }
  Piece all(int depth) {
    Piece left = equal(depth);
    while (good() && take("&&")) {
      Piece right = as_truth(equal(depth));
      left = as_truth(std::move(left));
      if (left.certainty == Certainty::unknown) continue;
      left = right.certainty == Certainty::unknown ? std::move(right) : joined(std::move(left), "and", right, 2, true);
    }
    return left;
  }
  Piece equal(int depth) {
    Piece left = compared(depth);
    for (;;) {
      std::string_view sign = take("==") ? "==" : take("!=") ? "~=" : "";
      if (sign.empty() || !good()) return left;
      Piece right = as_number(compared(depth));
      left = as_number(std::move(left));
      left = left.certainty != Certainty::exact ? inexact(left) : right.certainty != Certainty::exact ? inexact(right) : joined(std::move(left), sign, right, 3, true);
    }
  }
  // Neither its equality nor that it is less than something can be told.
  static Piece inexact(const Piece& piece) { return nothing(piece.unknown.empty() ? "something that is not translated whole" : piece.unknown); }

  Piece compared(int depth) {
    Piece left = sum(depth);
    for (;;) {
      std::string_view sign = take(">=") ? ">=" : take("<=") ? "<=" : take(">") ? ">" : take("<") ? "<" : "";
      if (sign.empty() || !good()) return left;
      Piece right = as_number(sum(depth));
      left = as_number(std::move(left));
      const Piece& less = sign[0] == '>' ? right : left;    // this one must be known whole
      const Piece& more = sign[0] == '>' ? left : right;
      if (less.certainty != Certainty::exact) left = inexact(less);
      else if (more.certainty == Certainty::unknown) left = inexact(more);
      else left = joined(std::move(left), sign, right, 3, true);
    }
  }
  Piece sum(int depth) {
    Piece left = product(depth);
    for (;;) {
      std::string_view sign = take("+") ? "+" : take("-") ? "-" : "";
      if (sign.empty() || !good()) return left;
      Piece right = as_number(product(depth));
      left = as_number(std::move(left));
      if (sign == "-" && right.certainty != Certainty::exact) {
        left = inexact(right);
      } else if (left.certainty == Certainty::unknown && right.certainty == Certainty::unknown) {
        continue;
      } else if (left.certainty == Certainty::unknown || right.certainty == Certainty::unknown) {
        if (left.certainty == Certainty::unknown && sign == "-") continue;
        if (left.certainty == Certainty::unknown) left = std::move(right);
        left.certainty = Certainty::at_least;
      } else {
        left = joined(std::move(left), sign, right, 4, false);
      }
    }
  }
  Piece product(int depth) {
    Piece left = one(depth);
    for (;;) {
      std::string_view sign = take("*") ? "*" : take("/") ? "/" : "";
      if (sign.empty() || !good()) return left;
      Piece right = as_number(one(depth));
      left = as_number(std::move(left));
      if (left.certainty != Certainty::exact) left = inexact(left);
      else if (right.certainty != Certainty::exact) left = inexact(right);
      else left = joined(std::move(left), sign, right, 5, false);
    }
  }
  Piece one(int depth) {
    if (depth > kMaxDepth) return fail("its expression is nested too deep");
    if (take("!")) {
      Piece piece = as_truth(one(depth + 1));
      if (piece.certainty != Certainty::exact) return good() ? inexact(piece) : piece;
      piece.lua = "not " + wrapped(piece, 6);
      piece.floor = 6;
      return piece;
    }
    if (take("(")) {
      Piece piece = any(depth + 1);
      if (!take(")")) return fail("a parenthesis is not closed");
      return piece;
    }
    skip();
    std::size_t begin = at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || (text_[at_] == '.' && at_ > begin && is_digit(text_[begin])))) ++at_;
    std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty()) return fail(begin == text_.size() ? "its expression ends too early" : "\"" + printable(text_.substr(begin), 20) + "\" is not understood");
    if (is_digit(word[0])) return figure(word);
    if (word == "rules_matching") return matching();
    return name(word);
  }
  Piece figure(std::string_view word) {
    if (word.size() > 12 || word.find_first_not_of("0123456789.") != std::string_view::npos || std::count(word.begin(), word.end(), '.') > 1 || word.back() == '.') {
      return fail("\"" + printable(word, 20) + "\" is no number");
    }
    Piece out;
    out.lua = word;
    return out;
  }
  Piece name(std::string_view word) {
    Certainty certainty = known_(word);
    if (certainty == Certainty::unknown) return nothing(std::string(word));
    Piece out;
    out.lua = "n." + std::string(word);
    out.certainty = certainty;
    return out;
  }
  // The sum of all rules whose name fits.
  Piece matching() {
    auto end = text_.find(')', at_);
    if (!take("(") || end == std::string_view::npos) return fail("rules_matching() is not closed");
    std::string_view names = trimmed(text_.substr(at_, end - at_));
    at_ = end + 1;
    Piece out;
    out.lua = "0";
    bool first = true;
    for (const auto& one : matching_(names)) {
      Piece piece = name(one);
      if (piece.certainty != Certainty::exact) out.certainty = Certainty::at_least;
      if (piece.certainty == Certainty::unknown) continue;
      out.lua = first ? piece.lua : out.lua + " + " + piece.lua;
      out.floor = first ? 9 : 4;
      first = false;
      if (out.lua.size() > kMaxLua) return fail("its expression grows too long");
    }
    return out;
  }

  std::string_view text_;
  const std::function<Certainty(std::string_view)>& known_;
  const std::function<std::vector<std::string>(std::string_view)>& matching_;
  std::size_t at_ = 0;
  std::string problem_;
};

}  // namespace

Result<Meta> translate_meta(std::string_view expression, const std::function<Certainty(std::string_view)>& known,
                            const std::function<std::vector<std::string>(std::string_view)>& matching) {
  return Expression(expression, known, matching).whole();
}

std::vector<std::string> names_in(std::string_view expression) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < expression.size() && out.size() < 5'000;) {
    if (!is_word(expression[at])) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    while (at < expression.size() && is_word(expression[at])) ++at;
    std::string word(expression.substr(begin, at - begin));
    if (is_digit(word[0])) continue;
    if (std::find(out.begin(), out.end(), word) == out.end()) out.push_back(std::move(word));
  }
  return out;
}

}  // namespace postern::filters::sa
