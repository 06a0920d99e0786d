// Bayes' judgement: what the learned counts say of a message's tokens.
#include "filters/bayes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gateway/base/check.h"

namespace postern::filters {
namespace {

// Chosen by cross-validation inside the half of the corpus that is learned; tests/bench/bayes tells by how much they matter.
constexpr float kPrior = 0.05F;          // messages of the rarer class that an unseen token is worth
constexpr float kMostOdds = 4;           // of one token, in log units
constexpr float kLeastOdds = 0.2F;       // less says nothing
constexpr double kDamping = 0.85;        // the power of the number of tokens by which their sum is divided
constexpr float kOwnWeight = 3;          // one message of the reader's own counts like so many
constexpr float kMostEvidence = 30;      // messages of everybody's that are weighed against the reader's own

struct Weights {
  double spam, ham, balance;
};
// In the order of BayesKind.  The corpus knows no hops: theirs are by hand, and small.
constexpr std::array<Weights, kBayesKinds> kWeights = {{
    {0.715, -0.570, 0.408},   // word
    {0.871, -0.510, 0.280},   // pair
    {0.432, -0.485, 0.447},   // subject
    {0.523, -0.720, 0.664},   // author
    {0.120, -0.793, 0.397},   // link
    {1.036, 0.000, 0.416},    // claim
    {0.126, 0.000, 0.359},    // shape
    {0.200, -0.200, 0.200},   // hop
}};

// What a forger writes as he likes is no credit.
constexpr bool is_free(BayesKind kind) { return kind == BayesKind::claim || kind == BayesKind::shape; }

// Log-odds of spam with a prior in rates, so that a token that was seen once never speaks for the class it was not seen
// in, however many more messages of the other one were learned.
class Odds {
 public:
  explicit Odds(BayesTotals totals)
      : spam_(1.0F / static_cast<float>(std::max(totals.spam, 1U))),
        ham_(1.0F / static_cast<float>(std::max(totals.ham, 1U))),
        prior_(kPrior * std::max(spam_, ham_)) {}
  float of(const BayesCounts& counts) const {
    auto spam = static_cast<float>(counts.spam);
    auto ham = static_cast<float>(counts.ham);
    float n = spam + ham;
    return std::log((spam * spam_ + prior_) / (ham * ham_ + prior_)) * n / (n + 1);
  }

 private:
  float spam_, ham_, prior_;
};

struct Side {
  std::vector<float> odds;   // without sign
  float sum() {
    if (odds.size() > kBayesDecisive) {
      std::nth_element(odds.begin(), odds.begin() + kBayesDecisive, odds.end(), std::greater<>());
      odds.resize(kBayesDecisive);
    }
    float out = 0;
    for (float one : odds) out += one;
    return out;
  }
};

struct Evidence {
  std::array<double, kBayesFeatures> features{};
  unsigned known = 0;
  bool own = false;
};

bool enough(BayesTotals totals, std::uint32_t least) { return totals.spam >= least && totals.ham >= least; }

Evidence weigh(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals,
               std::span<const BayesCounts> own, BayesTotals own_totals) {
  CHECK(everybody.size() == tokens.size() && (own.empty() || own.size() == tokens.size()));
  Evidence out;
  bool ask_everybody = enough(totals, kBayesEnough);
  bool ask_own = !own.empty() && enough(own_totals, kBayesOwnEnough);
  Odds of_everybody(totals), of_own(own_totals);
  std::array<Side, kBayesKinds> spam, ham;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    float all = ask_everybody ? static_cast<float>(everybody[i].spam + everybody[i].ham) : 0;
    float mine = ask_own ? static_cast<float>(own[i].spam + own[i].ham) : 0;
    if (all + mine == 0) continue;
    ++out.known;
    float odds = all > 0 ? of_everybody.of(everybody[i]) : 0;
    if (mine > 0) {
      // By evidence: what this reader taught outweighs what the others did, the more of it there is.
      float weight_all = std::min(all, kMostEvidence), weight_own = kOwnWeight * mine;
      odds = (odds * weight_all + of_own.of(own[i]) * weight_own) / (weight_all + weight_own);
      out.own = true;
    }
    auto kind = static_cast<std::size_t>(kind_of(tokens[i]));
    if (std::abs(odds) < kLeastOdds) continue;
    (odds > 0 ? spam : ham)[kind].odds.push_back(std::min(std::abs(odds), kMostOdds));
  }
  for (std::size_t kind = 0; kind < kBayesKinds; ++kind) {
    double for_spam = spam[kind].sum(), for_ham = ham[kind].sum();
    double damping = std::pow(static_cast<double>(spam[kind].odds.size() + ham[kind].odds.size()) + 5, kDamping);
    double balance = (for_spam - for_ham) / (for_spam + for_ham + 3);
    bool free = is_free(static_cast<BayesKind>(kind));
    out.features[3 * kind] = for_spam / damping;
    out.features[3 * kind + 1] = free ? 0 : for_ham / damping;
    out.features[3 * kind + 2] = free ? std::max(balance, 0.0) : balance;
  }
  return out;
}

// ln of the probability that chi square with 2n degrees of freedom is at least `x`.
double log_chi_tail(double x, std::size_t n) {
  double term = -x / 2, sum = term;
  for (std::size_t i = 1; i < n; ++i) {
    term += std::log(x / 2 / static_cast<double>(i));
    double most = std::max(sum, term);
    sum = most + std::log(std::exp(sum - most) + std::exp(term - most));
  }
  return std::min(sum, 0.0);
}

}  // namespace

std::string_view name(BayesFact::State state) {
  switch (state) {
    case BayesFact::State::off: return "off";
    case BayesFact::State::too_few: return "too few";
    case BayesFact::State::unsure: return "unsure";
    case BayesFact::State::spam: return "spam";
    case BayesFact::State::ham: return "ham";
    case BayesFact::State::error: return "error";
  }
  return "";
}

std::array<double, kBayesFeatures> bayes_features(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals,
                                                  std::span<const BayesCounts> own, BayesTotals own_totals) {
  return weigh(tokens, everybody, totals, own, own_totals).features;
}

BayesFact judge_bayes(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals,
                      std::span<const BayesCounts> own, BayesTotals own_totals) {
  BayesFact fact;
  fact.tokens = static_cast<unsigned>(tokens.size());
  if (!enough(totals, kBayesEnough) && !enough(own_totals, kBayesEnough)) {
    fact.state = BayesFact::State::too_few;
    return fact;
  }
  Evidence evidence = weigh(tokens, everybody, totals, own, own_totals);
  fact.known = evidence.known;
  fact.own = evidence.own;
  fact.state = BayesFact::State::unsure;
  if (evidence.known < kBayesFewTokens) return fact;
  double sum = 0;
  for (std::size_t kind = 0; kind < kBayesKinds; ++kind) {
    double part = kWeights[kind].spam * evidence.features[3 * kind] + kWeights[kind].ham * evidence.features[3 * kind + 1] +
                  kWeights[kind].balance * evidence.features[3 * kind + 2];
    sum += part;
    fact.kinds_spam += part >= 0.25 ? 1 : 0;
    fact.kinds_ham += part <= -0.25 ? 1 : 0;
  }
  fact.probability = 1 / (1 + std::exp(-sum));
  if (fact.probability >= kBayesSpam) fact.state = BayesFact::State::spam;
  if (fact.probability <= kBayesHam) fact.state = BayesFact::State::ham;
  return fact;
}

double bayes_chi_square(std::span<const BayesToken> tokens, std::span<const BayesCounts> everybody, BayesTotals totals) {
  constexpr double kStrength = 0.3, kLeast = 0.1;
  constexpr std::size_t kMost = 150;
  std::vector<double> chances;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    double n = everybody[i].spam + everybody[i].ham;
    if (n == 0) continue;
    double spam = everybody[i].spam / std::max(1.0, double(totals.spam)), ham = everybody[i].ham / std::max(1.0, double(totals.ham));
    double chance = (kStrength * 0.5 + n * spam / (spam + ham)) / (kStrength + n);
    if (std::abs(chance - 0.5) >= kLeast && !(is_free(kind_of(tokens[i])) && chance < 0.5)) chances.push_back(chance);
  }
  auto further = [](double a, double b) { return std::abs(a - 0.5) > std::abs(b - 0.5); };
  if (chances.size() > kMost) {
    std::nth_element(chances.begin(), chances.begin() + kMost, chances.end(), further);
    chances.resize(kMost);
  }
  if (chances.empty()) return 0.5;
  double spam = 0, ham = 0;
  for (double chance : chances) spam += std::log(1 - chance), ham += std::log(chance);
  return (1 + std::exp(log_chi_tail(-2 * ham, chances.size())) - std::exp(log_chi_tail(-2 * spam, chances.size()))) / 2;
}

}  // namespace postern::filters
