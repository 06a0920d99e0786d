#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/result.h"

// The points of rules, fitted to mail that people have judged: what `postern rules fit` computes.  Pure; any thread.
//
// The model is a logistic regression without a constant of its own, since a message has none: a message at the junk
// threshold is spam with the odds that the cost of a false alarm sets, and each point multiplies the odds.  A rule's
// direction never turns, no rule gives more than `most`, and what the mail does not decide stays as it was (ridge around
// the present points), so rare and twin rules move little.
namespace postern::filters {

// One rule, or one of the things that a rule may say.
struct FitRule {
  std::string name;        // "false-link" or "missing-headers/Date"
  double points = 0;       // as they are now
  bool spam = true;        // what it speaks for: its points are never below 0; else never above
};

struct FitMail {
  std::uint32_t set = 0;               // in FitCorpus::sets
  bool spam = false;
  std::uint32_t fold = 0;              // below FitOptions::folds; the caller keeps mails that are alike in one fold
  double other = 0;                    // points of rules that are not fitted
  std::vector<std::uint32_t> hits;     // in FitCorpus::rules, rising
};

// A set is mail of one origin and time.  What tells spam from ham must do so inside a set: a rule that only tells sets
// apart knows nothing of spam (filters/fit_sets.h).
struct FitCorpus {
  std::vector<std::string> sets;
  std::vector<FitRule> rules;
  std::vector<FitMail> mails;
};

struct FitOptions {
  double junk = 5;          // points from which on mail is junk
  double ham_rate = 0.001;  // at most this share of ham may get there, in mail that was not fitted to
  double most = 4;          // of one rule
  double step = 0.1;        // points are multiples of it
  double pull = 2;          // weight of the present points, in mails
  std::uint32_t folds = 5;
};

struct FitRates {
  std::size_t ham = 0, ham_junked = 0, spam = 0, spam_junked = 0;
  double ham_rate() const { return ham == 0 ? 0 : static_cast<double>(ham_junked) / static_cast<double>(ham); }
  double spam_rate() const { return spam == 0 ? 0 : static_cast<double>(spam_junked) / static_cast<double>(spam); }
};

// How often a rule spoke in a set.
struct FitCounts {
  std::uint32_t ham = 0, ham_hits = 0, spam = 0, spam_hits = 0;
};

enum class FitFate {
  fitted,
  unseen,        // it never spoke: its points stay
  contradicted,  // in the set named it speaks for the other side
  tells_sets,    // it tells the set named from the others, and inside the sets nothing
};

struct FittedRule {
  double points = 0;
  FitFate fate = FitFate::fitted;
  std::uint32_t set = 0;             // contradicted, tells_sets; sets.size(): all of them together
  std::vector<FitCounts> counts;     // by set
};

struct Fit {
  std::vector<FittedRule> rules;     // as FitCorpus::rules
  // By set, the last row all of them: with the present points; by cross-validation, each fold judged with points fitted to
  // the others; and with the points that come out.
  std::vector<FitRates> before, crossed, after;
  bool attained = false;             // FitOptions::ham_rate was, by cross-validation; else this is as near as it gets
  double odds = 0;                   // log-odds that a point is worth
  double ham_cost = 0;               // how many missed spams weigh as much as one ham in Junk
};

inline constexpr std::size_t kMaxFitMails = 1'000'000;
inline constexpr std::size_t kMaxFitRules = 4'000;
inline constexpr std::size_t kMaxFitHits = 50'000'000;   // of all mails together
inline constexpr std::size_t kMaxFitSets = 64;
inline constexpr std::uint32_t kMaxFitFolds = 20;

// The same input gives the same points.  An error is a sentence: too few mails of a class (20 at least, and one in each
// fold), no rule that ever speaks, input above the limits or wrong in itself.
// Time: at most kMaxPasses (fit.cc) looks at each hit for each of 45 settings and each fold.
Result<Fit> fit_points(const FitCorpus& corpus, const FitOptions& options);

// How mail fares with `points`, one for each rule; by set, the last row all of them.
std::vector<FitRates> rates_with(const FitCorpus& corpus, const std::vector<double>& points, double junk);

}  // namespace postern::filters
