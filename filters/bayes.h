#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "filters/bayes_tokens.h"

namespace postern::filters {

// What is known of one token: in how many learned messages it stood.  Days are counted from 1970-01-01.
struct BayesCounts {
  std::uint32_t spam = 0;
  std::uint32_t ham = 0;
  std::uint16_t born = 0;    // the day of the first message since the token was last unknown
  std::uint16_t seen = 0;    // of the latest one
  bool operator==(const BayesCounts&) const = default;
};
// Learned messages.
struct BayesTotals {
  std::uint32_t spam = 0;
  std::uint32_t ham = 0;
  bool operator==(const BayesTotals&) const = default;
};

// Fewer messages of either class say nothing: BayesFact::State::too_few.
constexpr std::uint32_t kBayesEnough = 50;
// From so many of each on a user's own learning counts beside everybody's.
constexpr std::uint32_t kBayesOwnEnough = 10;
// Fewer known tokens are no evidence: unsure.
constexpr unsigned kBayesFewTokens = 8;
// Where a probability of spam becomes an answer; between them it is unsure.
constexpr double kBayesSpam = 0.8;
constexpr double kBayesHam = 0.2;

struct BayesFact {
  enum class State : std::uint8_t { off, too_few, unsure, spam, ham, error };
  State state = State::off;
  double probability = 0.5;      // of spam, calibrated on mails that were not learned; 0.5 unless spam, ham or unsure
  unsigned known = 0;            // tokens of the message that were learned before
  unsigned tokens = 0;
  unsigned kinds_spam = 0;       // kinds of evidence that speak for spam, and
  unsigned kinds_ham = 0;        // for ham, each with some weight
  bool own = false;              // the reader's own learning took part
  std::string problem;           // why error, in words
};
std::string_view name(BayesFact::State state);

// How many decisive tokens of a kind count on each side, the most decisive first: a list of a thousand words weighs no
// more than so many.
constexpr std::size_t kBayesDecisive = 60;

// Sums of log-odds by kind of evidence, weighed as fitted by logistic regression on a half of the corpus.  No weight is of
// the wrong sign, so that no spam token ever lowers the probability of spam by itself, and kinds that cost a forger nothing
// (claim, shape) count against him alone.
//
// `everybody` and `own` hold the counts of `tokens` in their order; `own` is empty when there are none.  Pure; any thread.
BayesFact judge_bayes(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals,
                      std::span<const BayesCounts> own = {}, BayesTotals own_totals = {});

// Fisher's combination of the same tokens, as Robinson proposed it; 1 is spam.  For the bench, which compares at cutoffs of
// 0.99 and 0.1; by rank alone, cross-validated, it misses about twice as much spam at no ordinary ham.
double bayes_chi_square(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals);

// The sums that judge_bayes() weighs: of each kind spam, ham and balance.  For the tool that fits the weights.
constexpr std::size_t kBayesFeatures = 3 * kBayesKinds;
std::array<double, kBayesFeatures> bayes_features(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals,
                                                  std::span<const BayesCounts> own = {}, BayesTotals own_totals = {});

}  // namespace postern::filters
