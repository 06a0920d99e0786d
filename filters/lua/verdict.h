#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/smtp/judge.h"

// What a rule may say, at which stage.
namespace postern::filters::lua {

enum class Word { score, tag, accept, defer, quarantine, reject, redirect, journal };
std::string_view name(Word word);
std::optional<smtp::Stage> stage_named(std::string_view text);

// The table of design 6: which verdict which stage may return.
bool allowed(Word word, smtp::Stage stage);
// "accept, defer, reject or score"
std::string allowed_words(smtp::Stage stage);

// Whether the first of these decides its stage.
constexpr bool decides(Word word) {
  return word == Word::accept || word == Word::defer || word == Word::quarantine || word == Word::reject;
}

struct Spoken {
  Word word = Word::score;
  double points = 0;
  std::string argument;   // folder of tag, class of quarantine, address of redirect and journal
  std::string why;
  std::string at;         // where it was made: "rules/10-connect.lua:11"
};

// Events and memories that take effect when the stage is decided and the rule was read before that.
struct Effect {
  bool is_count = false;
  std::string key;
  std::chrono::seconds span{0};
  std::string value;
};

// What came of one run of one rule.
struct Answer {
  std::size_t rule = 0;
  std::vector<Spoken> spoken;       // empty: nothing to say
  std::vector<Effect> effects;
  bool failed = false;
  bool blameless = false;           // failed, but not by the rule's fault (state full, shut down)
  std::string at;                   // of the failure
  std::string what;                 // in words
  std::chrono::microseconds took{0};
};

}  // namespace postern::filters::lua
