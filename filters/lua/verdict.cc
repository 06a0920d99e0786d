// The words of the rule language and the table that says where each may stand; design 6.
#include "filters/lua/verdict.h"

#include <array>

namespace postern::filters::lua {
namespace {

constexpr std::array kWords = {Word::accept, Word::defer, Word::reject, Word::score, Word::quarantine, Word::tag, Word::redirect, Word::journal};

}  // namespace

std::string_view name(Word word) {
  switch (word) {
    case Word::score: return "score";
    case Word::tag: return "tag";
    case Word::accept: return "accept";
    case Word::defer: return "defer";
    case Word::quarantine: return "quarantine";
    case Word::reject: return "reject";
    case Word::redirect: return "redirect";
    case Word::journal: return "journal";
  }
  return "score";
}

std::optional<smtp::Stage> stage_named(std::string_view text) {
  using smtp::Stage;
  for (Stage stage : {Stage::connect, Stage::mail, Stage::rcpt, Stage::message, Stage::verdict, Stage::deliver}) {
    if (smtp::name(stage) == text) return stage;
  }
  return std::nullopt;
}

bool allowed(Word word, smtp::Stage stage) {
  using smtp::Stage;
  switch (word) {
    case Word::defer:
    case Word::reject: return true;
    case Word::accept: return stage != Stage::verdict;
    case Word::score: return stage != Stage::verdict && stage != Stage::deliver;
    case Word::quarantine:
    case Word::tag:
    case Word::journal: return stage == Stage::message || stage == Stage::verdict || stage == Stage::deliver;
    case Word::redirect: return stage == Stage::deliver;
  }
  return false;
}

std::string allowed_words(smtp::Stage stage) {
  std::vector<std::string_view> words;
  for (Word word : kWords) {
    if (allowed(word, stage)) words.push_back(name(word));
  }
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace postern::filters::lua
