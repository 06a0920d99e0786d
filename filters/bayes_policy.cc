// Decisions about learning.  Training breaks silently where mail moves for other reasons than its worth (archiving, emptying
// Junk) and where a filter learns its own opinion; each line here shuts one of these doors.
#include "filters/bayes_policy.h"

#include <algorithm>
#include <cmath>

namespace postern::filters {
namespace {

bool is_own(MailPlace place) { return place == MailPlace::sent || place == MailPlace::drafts; }
bool is_read(MailPlace place) { return place == MailPlace::inbox || place == MailPlace::elsewhere; }
bool is_suspect(MailPlace place) {
  return place == MailPlace::junk || place == MailPlace::quarantine || place == MailPlace::always_block;
}

BayesLesson meant_by(const MailMove& move) {
  if (is_own(move.from) || is_own(move.to) || move.from == move.to || move.to == MailPlace::trash || move.to == MailPlace::quarantine) {
    return BayesLesson::nothing;
  }
  if (move.to == MailPlace::junk || move.to == MailPlace::always_block) return BayesLesson::spam;
  if (move.to == MailPlace::always_allow) return BayesLesson::ham;
  if (is_read(move.to) && (is_suspect(move.from) || move.held)) return BayesLesson::ham;
  return BayesLesson::nothing;
}

}  // namespace

BayesLesson learning_of_move(const MailMove& move) {
  BayesLesson lesson = meant_by(move);
  if (!move.taught || lesson == BayesLesson::nothing) return lesson;
  BayesLesson before = *move.taught == BayesClass::spam ? BayesLesson::spam : BayesLesson::ham;
  if (lesson == before) return BayesLesson::nothing;
  bool back = move.to == move.taught_from || (is_read(move.to) && is_read(move.taught_from));
  return back ? BayesLesson::undo : lesson;
}

BayesLesson learning_of_keywords(JunkWords before, JunkWords after, MailPlace place, std::optional<BayesClass> taught) {
  auto says = [](JunkWords words) {
    if (words.junk == words.not_junk) return BayesLesson::nothing;
    return words.junk ? BayesLesson::spam : BayesLesson::ham;
  };
  if (is_own(place)) return BayesLesson::nothing;
  BayesLesson was = says(before), is = says(after);
  if (was == is) return BayesLesson::nothing;
  if (is == BayesLesson::nothing) {
    bool mine = taught && (*taught == BayesClass::spam ? BayesLesson::spam : BayesLesson::ham) == was;
    return mine ? BayesLesson::undo : BayesLesson::nothing;
  }
  bool known = taught && (*taught == BayesClass::spam) == (is == BayesLesson::spam);
  return known ? BayesLesson::nothing : is;
}

AutolearnDecision autolearn(const AutolearnCase& given) {
  auto no = [](std::string_view why) { return AutolearnDecision{BayesLesson::nothing, why}; };
  if (given.outgoing) return no("own mail is not learned");
  if (given.incomplete) return no("not all of the message could be examined");
  double points = 0;
  unsigned kinds_spam = 0, kinds_ham = 0;
  for (double kind : given.kinds) {
    points += kind;
    kinds_spam += kind >= kAutolearnKind ? 1 : 0;
    kinds_ham += kind <= -kAutolearnKind ? 1 : 0;
  }
  bool spam = given.junk_from > 0 && points >= kAutolearnBeyond * given.junk_from;
  bool ham = points <= kAutolearnHam;
  if (!(spam || ham)) return no("the score is too near to the threshold");   // also what is no number
  if (spam && kinds_spam < kAutolearnKinds) return no("too few kinds of evidence speak for spam");
  if (ham && kinds_ham < 2) return no("too few kinds of evidence speak for ham");
  if ((spam && kinds_ham > 0) || (ham && kinds_spam > 0)) return no("the evidence does not agree");
  if (std::abs(given.strongest_rule) > kAutolearnShare * std::abs(points)) return no("one rule alone decided");
  if (given.bayes.state == (spam ? BayesFact::State::ham : BayesFact::State::spam)) return no("Bayes thinks otherwise");
  if (given.bayes.state == BayesFact::State::error) return no("what Bayes has learned is damaged");
  if (given.of_sender_today >= kAutolearnOfSender) return no("enough was learned from this sender today");
  if (given.today >= kAutolearnADay) return no("enough was learned today");
  std::uint64_t same = spam ? given.totals.spam : given.totals.ham, other = spam ? given.totals.ham : given.totals.spam;
  if (same >= kAutolearnFreely && same > kAutolearnImbalance * other) return no("too little of the other class was learned");
  return {spam ? BayesLesson::spam : BayesLesson::ham, "several independent kinds of evidence agree"};
}

}  // namespace postern::filters
