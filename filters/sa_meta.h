#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

// Expressions of meta rules: names of rules, numbers, ! && || ( ) > >= < <= == != + - * /, with Perl's precedence.
namespace postern::filters::sa {

// How much is known of a rule: all; that it is at least so much (something in it could not be translated); nothing.
enum class Certainty { exact, at_least, unknown };

struct Meta {
  std::string lua;                   // "is.A and n.B + n.C > 1": is.X whether X matched, n.X how often
  Certainty certainty = Certainty::exact;   // never unknown: then there is an error
};

// What is not known never makes the expression true: of "A || B" with an unknown B "A" is left, "A && B" and "A && !B"
// cannot be told, which is an error that names B.
//
// `known` says what there is to a name; `matching` gives the names for rules_matching(__A_*).  An error is a clause.
// Depth and length are bounded.
Result<Meta> translate_meta(std::string_view expression, const std::function<Certainty(std::string_view)>& known,
                            const std::function<std::vector<std::string>(std::string_view)>& matching);

// The words in an expression or in Lua, each once.
std::vector<std::string> names_in(std::string_view expression);

}  // namespace postern::filters::sa
