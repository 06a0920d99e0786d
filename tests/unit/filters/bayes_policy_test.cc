// When Bayes learns.
#include "filters/bayes_policy.h"

#include <limits>
#include <vector>

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;
using Place = MailPlace;
using Lesson = BayesLesson;

TEST_CASE("moves teach what they mean") {
  struct Case { Place from, to; Lesson lesson; };
  const Case cases[] = {
      {Place::inbox, Place::junk, Lesson::spam},           {Place::elsewhere, Place::junk, Lesson::spam},
      {Place::quarantine, Place::junk, Lesson::spam},      {Place::trash, Place::junk, Lesson::spam},
      {Place::junk, Place::inbox, Lesson::ham},            {Place::junk, Place::elsewhere, Lesson::ham},
      {Place::quarantine, Place::inbox, Lesson::ham},      {Place::quarantine, Place::elsewhere, Lesson::ham},
      {Place::quarantine, Place::always_allow, Lesson::ham}, {Place::quarantine, Place::always_block, Lesson::spam},
      {Place::always_block, Place::inbox, Lesson::ham},
      {Place::junk, Place::trash, Lesson::nothing},        {Place::quarantine, Place::trash, Lesson::nothing},
      {Place::inbox, Place::trash, Lesson::nothing},       {Place::trash, Place::inbox, Lesson::nothing},
      {Place::inbox, Place::elsewhere, Lesson::nothing},   {Place::elsewhere, Place::inbox, Lesson::nothing},
      {Place::sent, Place::junk, Lesson::nothing},         {Place::drafts, Place::junk, Lesson::nothing},
      {Place::junk, Place::sent, Lesson::nothing},         {Place::junk, Place::junk, Lesson::nothing},
      {Place::junk, Place::quarantine, Lesson::nothing},
  };
  for (const Case& c : cases) {
    CAPTURE(static_cast<int>(c.from), static_cast<int>(c.to));
    CHECK(learning_of_move({c.from, c.to, false, std::nullopt, Place::elsewhere}) == c.lesson);
  }
}

TEST_CASE("a held message is released out of Trash too") {
  CHECK(learning_of_move({Place::trash, Place::inbox, true, std::nullopt, Place::elsewhere}) == Lesson::ham);
  CHECK(learning_of_move({Place::trash, Place::elsewhere, true, std::nullopt, Place::elsewhere}) == Lesson::ham);
  CHECK(learning_of_move({Place::quarantine, Place::trash, true, std::nullopt, Place::elsewhere}) == Lesson::nothing);
}

TEST_CASE("moving back undoes, and moving on teaches anew") {
  // INBOX -> Junk -> INBOX, Junk -> INBOX -> Junk.
  CHECK(learning_of_move({Place::junk, Place::inbox, false, BayesClass::spam, Place::inbox}) == Lesson::undo);
  CHECK(learning_of_move({Place::inbox, Place::junk, false, BayesClass::ham, Place::junk}) == Lesson::undo);
  CHECK(learning_of_move({Place::junk, Place::elsewhere, false, BayesClass::spam, Place::inbox}) == Lesson::undo);
  // Released, and spam after all.
  CHECK(learning_of_move({Place::inbox, Place::junk, false, BayesClass::ham, Place::quarantine}) == Lesson::spam);
  // Twice the same says nothing new.
  CHECK(learning_of_move({Place::elsewhere, Place::junk, false, BayesClass::spam, Place::inbox}) == Lesson::nothing);
  // Emptying Junk takes nothing back.
  CHECK(learning_of_move({Place::junk, Place::trash, false, BayesClass::spam, Place::inbox}) == Lesson::nothing);
}

TEST_CASE("keywords teach as moves do") {
  constexpr JunkWords none, junk{true, false}, not_junk{false, true}, both{true, true};
  CHECK(learning_of_keywords(none, junk, Place::inbox, std::nullopt) == Lesson::spam);
  CHECK(learning_of_keywords(none, not_junk, Place::junk, std::nullopt) == Lesson::ham);
  CHECK(learning_of_keywords(junk, not_junk, Place::inbox, BayesClass::spam) == Lesson::ham);
  CHECK(learning_of_keywords(junk, none, Place::inbox, BayesClass::spam) == Lesson::undo);
  CHECK(learning_of_keywords(junk, none, Place::inbox, std::nullopt) == Lesson::nothing);
  CHECK(learning_of_keywords(junk, none, Place::inbox, BayesClass::ham) == Lesson::nothing);
  CHECK(learning_of_keywords(none, both, Place::inbox, std::nullopt) == Lesson::nothing);
  CHECK(learning_of_keywords(junk, junk, Place::inbox, BayesClass::spam) == Lesson::nothing);
  CHECK(learning_of_keywords(none, junk, Place::sent, std::nullopt) == Lesson::nothing);
  // Moved to Junk, and the client sets the keyword as well.
  CHECK(learning_of_keywords(none, junk, Place::junk, BayesClass::spam) == Lesson::nothing);
}

namespace {

const std::vector<double> kSpamKinds{4, 3, 3, 2, 0, 0};
const std::vector<double> kHamKinds{-1.5, 0, 0, 0, 0, -1.5};

AutolearnCase spam_case() {
  AutolearnCase c;
  c.kinds = kSpamKinds;
  c.strongest_rule = 4;
  return c;
}
AutolearnCase ham_case() {
  AutolearnCase c;
  c.kinds = kHamKinds;
  c.strongest_rule = -1.5;
  return c;
}
Lesson learned(AutolearnCase c) { return autolearn(c).lesson; }

}  // namespace

TEST_CASE("only what several kinds of evidence are sure of is learned without being told") {
  CHECK(learned(spam_case()) == Lesson::spam);
  CHECK(learned(ham_case()) == Lesson::ham);
  auto with = [](AutolearnCase c, auto change) { change(c); return learned(c); };
  const std::vector<double> near{3, 3, 2}, few{6, 5, 0}, mixed{8, 4, 4, -3}, one_ham{-4, 0}, mixed_ham{-3, -3, 1}, no_number{std::numeric_limits<double>::quiet_NaN()};
  CHECK(with(spam_case(), [&](auto& c) { c.kinds = near; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.kinds = few; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.kinds = mixed; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.kinds = no_number; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.kinds = {}; }) == Lesson::nothing);
  CHECK(with(ham_case(), [&](auto& c) { c.kinds = one_ham; }) == Lesson::nothing);
  CHECK(with(ham_case(), [&](auto& c) { c.kinds = mixed_ham; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.strongest_rule = 7; }) == Lesson::nothing);
  CHECK(with(ham_case(), [&](auto& c) { c.strongest_rule = -2; }) == Lesson::nothing);
  CHECK(with(spam_case(), [&](auto& c) { c.junk_from = 0; }) == Lesson::nothing);
}

TEST_CASE("own mail, incomplete evidence and Bayes' own doubt are not learned") {
  for (auto make : {spam_case, ham_case}) {
    auto c = make();
    c.outgoing = true;
    CHECK(learned(c) == Lesson::nothing);
    c = make();
    c.incomplete = true;
    CHECK(learned(c) == Lesson::nothing);
    c = make();
    c.bayes.state = BayesFact::State::error;
    CHECK(learned(c) == Lesson::nothing);
  }
  auto c = spam_case();
  c.bayes.state = BayesFact::State::ham;
  CHECK(learned(c) == Lesson::nothing);
  c = ham_case();
  c.bayes.state = BayesFact::State::spam;
  CHECK(learned(c) == Lesson::nothing);
  c.bayes.state = BayesFact::State::too_few;
  CHECK(learned(c) == Lesson::ham);
}

TEST_CASE("no sender, no day and no class teaches too much") {
  auto c = spam_case();
  c.of_sender_today = kAutolearnOfSender;
  CHECK(learned(c) == Lesson::nothing);
  c = ham_case();
  c.today = kAutolearnADay;
  CHECK(learned(c) == Lesson::nothing);
  c = spam_case();
  c.totals = {kAutolearnFreely + 1, 10};
  CHECK(learned(c) == Lesson::nothing);
  c.totals = {kAutolearnFreely - 1, 10};
  CHECK(learned(c) == Lesson::spam);
  c.totals = {300, 100};
  CHECK(learned(c) == Lesson::spam);
  c = ham_case();
  c.totals = {10, 1000};
  CHECK(learned(c) == Lesson::nothing);
}

TEST_CASE("each decision has its reason") {
  CHECK(!autolearn(spam_case()).why.empty());
  CHECK(!autolearn({}).why.empty());
}
