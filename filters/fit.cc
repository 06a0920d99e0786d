// Ridge logistic regression with bounds, by coordinate descent: each step goes to the minimum of a parabola that lies
// above the loss within a trust region, so the loss never rises (Genkin, Lewis and Madigan, Technometrics 49, 2007, where
// the bound is derived).  No random numbers, no dependence on addresses or thread timing: the same mail gives the same points.
#include "filters/fit.h"

#include <algorithm>
#include <cmath>

#include "filters/fit_sets.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxPasses = 200;
constexpr std::size_t kLeastOfClass = 20;
constexpr double kStill = 0.002;     // points; below a rounding step by far
constexpr std::array kOdds{0.5, 0.75, 1.0, 1.5, 2.2};
constexpr std::array kHamCosts{1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0};

struct Bounds {
  double low = 0, high = 0;
};

// What a fit works on: mails by rule, weights, limits.
struct Problem {
  const FitCorpus& corpus;
  const FitOptions& options;
  std::vector<std::vector<std::uint32_t>> mails_of;   // by rule
  std::vector<Bounds> bounds;
};

struct Setting {
  double odds = 1;
  double ham_cost = 1;
};

double clamp(double value, Bounds bounds) { return std::min(bounds.high, std::max(bounds.low, value)); }

// The curvature of log(1 + exp(-x)) is nowhere larger within `reach` of x.
double curvature(double x, double reach) {
  double distance = std::fabs(x);
  if (distance <= reach) return 0.25;
  return 1 / (2 + std::exp(distance - reach) + std::exp(reach - distance));
}

double score_of(const FitMail& mail, const std::vector<double>& points) {
  double sum = mail.other;
  for (auto rule : mail.hits) sum += points[rule];
  return sum;
}

// Sums of tenths: 4.999999 is 5.
bool is_junk(double score, double junk) { return score >= junk - 1e-6; }

double rounded(double points, const FitOptions& options) {
  double steps = std::round(points / options.step);
  double out = std::round(steps * options.step * 1e6) / 1e6;
  return std::fabs(out) > options.most ? std::copysign(std::floor(options.most / options.step) * options.step, out) : out + 0.0;
}

// Both classes weigh the same, whatever came in; then a ham costs more.  0: the mail is not in this fit.
std::vector<double> weights(const FitCorpus& corpus, Setting setting, std::uint32_t left_out) {
  std::size_t ham = 0;
  std::size_t spam = 0;
  for (const auto& mail : corpus.mails) {
    if (mail.fold != left_out) ++(mail.spam ? spam : ham);
  }
  double half = static_cast<double>(ham + spam) / 2;
  std::vector<double> out;
  out.reserve(corpus.mails.size());
  for (const auto& mail : corpus.mails) {
    double weight = mail.spam ? half / static_cast<double>(std::max<std::size_t>(spam, 1)) : setting.ham_cost * half / static_cast<double>(std::max<std::size_t>(ham, 1));
    out.push_back(mail.fold == left_out ? 0 : weight);
  }
  return out;
}

// Moves `points` to the minimum.
void descend(const Problem& problem, Setting setting, std::uint32_t left_out, std::vector<double>& points) {
  const auto& corpus = problem.corpus;
  auto weight = weights(corpus, setting, left_out);
  std::vector<double> margin;   // log-odds of the right answer
  margin.reserve(corpus.mails.size());
  for (const auto& mail : corpus.mails) {
    margin.push_back((mail.spam ? 1 : -1) * setting.odds * (score_of(mail, points) - problem.options.junk));
  }
  std::vector<double> reach(points.size(), 1);   // points
  for (std::size_t pass = 0; pass < kMaxPasses; ++pass) {
    double moved = 0;
    for (std::size_t rule = 0; rule < points.size(); ++rule) {
      if (problem.bounds[rule].low == problem.bounds[rule].high) continue;
      double slope = problem.options.pull * (points[rule] - corpus.rules[rule].points);
      double bend = problem.options.pull;
      for (auto i : problem.mails_of[rule]) {
        if (weight[i] == 0) continue;
        double side = corpus.mails[i].spam ? setting.odds : -setting.odds;
        slope -= weight[i] * side / (1 + std::exp(margin[i]));
        bend += weight[i] * setting.odds * setting.odds * curvature(margin[i], setting.odds * reach[rule]);
      }
      double step = std::min(reach[rule], std::max(-reach[rule], -slope / bend));
      double next = clamp(points[rule] + step, problem.bounds[rule]);
      step = next - points[rule];
      reach[rule] = std::max(2 * std::fabs(step), reach[rule] / 2);
      if (step == 0) continue;
      points[rule] = next;
      moved = std::max(moved, std::fabs(step));
      for (auto i : problem.mails_of[rule]) margin[i] += (corpus.mails[i].spam ? setting.odds : -setting.odds) * step;
    }
    if (moved < kStill) return;
  }
}

std::vector<double> rounded(std::vector<double> points, const Problem& problem) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool free = problem.bounds[i].low != problem.bounds[i].high;
    if (free) points[i] = rounded(points[i], problem.options);
  }
  return points;
}

void count(FitRates& rates, bool spam, bool junk) {
  ++(spam ? rates.spam : rates.ham);
  if (junk) ++(spam ? rates.spam_junked : rates.ham_junked);
}

std::vector<FitRates> cross_validate(const Problem& problem, Setting setting, std::vector<std::vector<double>>& warm) {
  const auto& corpus = problem.corpus;
  std::vector<FitRates> out(corpus.sets.size() + 1);
  for (std::uint32_t fold = 0; fold < problem.options.folds; ++fold) {
    descend(problem, setting, fold, warm[fold]);
    auto points = rounded(warm[fold], problem);
    for (const auto& mail : corpus.mails) {
      if (mail.fold != fold) continue;
      bool junk = is_junk(score_of(mail, points), problem.options.junk);
      count(out[mail.set], mail.spam, junk);
      count(out.back(), mail.spam, junk);
    }
  }
  return out;
}

// The better of two settings: the ham rate is kept; then more spam is caught.  Of two that keep it not, the one with less ham in Junk.
bool better(const FitRates& one, const FitRates& other, double ham_rate) {
  bool keeps = one.ham_rate() <= ham_rate;
  bool other_keeps = other.ham_rate() <= ham_rate;
  if (keeps != other_keeps) return keeps;
  if (!keeps && one.ham_junked != other.ham_junked) return one.ham_junked < other.ham_junked;
  if (one.spam_junked != other.spam_junked) return one.spam_junked > other.spam_junked;
  return one.ham_junked < other.ham_junked;
}

Result<void> check_options(const FitOptions& options) {
  auto good = [](double value, double low, double high) { return std::isfinite(value) && value >= low && value <= high; };
  if (!good(options.junk, 0.1, 1000)) return Error("the junk threshold is a number from 0.1 to 1000");
  if (!good(options.ham_rate, 0, 1)) return Error("the wanted ham rate is a number from 0 to 1");
  if (!good(options.step, 0.01, 1)) return Error("points are rounded to a step from 0.01 to 1");
  if (!good(options.most, options.step, 100)) return Error("the most points of a rule are at least one step, and at most 100");
  if (!good(options.pull, 0.01, 10'000)) return Error("the weight of the present points is a number from 0.01 to 10000");
  if (options.folds < 2 || options.folds > kMaxFitFolds) return Error("there are 2 to 20 folds");
  return {};
}

Result<void> check_mails(const FitCorpus& corpus, const FitOptions& options) {
  std::vector<std::size_t> ham(options.folds);
  std::vector<std::size_t> spam(options.folds);
  std::size_t hits = 0;
  for (const auto& mail : corpus.mails) {
    if (mail.set >= corpus.sets.size() || mail.fold >= options.folds || !std::isfinite(mail.other)) return Error("a message has a set, a fold or points that do not exist");
    for (std::size_t i = 0; i < mail.hits.size(); ++i) {
      bool rises = i == 0 || mail.hits[i - 1] < mail.hits[i];
      if (!rises || mail.hits[i] >= corpus.rules.size()) return Error("the hits of a message are not rising numbers of rules");
    }
    hits += mail.hits.size();
    ++(mail.spam ? spam : ham)[mail.fold];
  }
  if (hits > kMaxFitHits) return Error("more than 50 million hits: take a sample of the mail");
  if (hits == 0) return Error("no rule with points of its own spoke in any message: there is nothing to fit");
  for (const auto* counts : {&ham, &spam}) {
    std::string kind = counts == &ham ? "ham" : "spam";
    std::size_t all = 0;
    for (auto each : *counts) all += each;
    if (all < kLeastOfClass) return Error("only " + std::to_string(all) + " messages are " + kind + ": at least " + std::to_string(kLeastOfClass) + " are needed, thousands are better");
    if (std::find(counts->begin(), counts->end(), 0U) != counts->end()) return Error("a fold of the cross-validation has no " + kind + ": more mail, or fewer folds, are needed");
  }
  return {};
}

Result<void> check(const FitCorpus& corpus, const FitOptions& options) {
  if (corpus.mails.size() > kMaxFitMails) return Error("more than a million messages: take a sample");
  if (corpus.rules.size() > kMaxFitRules) return Error("more than 4000 rules");
  if (corpus.sets.size() > kMaxFitSets) return Error("more than 64 sets of mail: each folder below ham/ and spam/ is one");
  for (const auto& rule : corpus.rules) {
    if (!std::isfinite(rule.points)) return Error(rule.name + ": its points are no number");
    if (rule.spam ? rule.points < 0 : rule.points > 0) return Error(rule.name + " gives points against what it speaks for");
  }
  auto options_are = check_options(options);
  return options_are ? check_mails(corpus, options) : options_are;
}

// The limits of each rule; a rule that is not to be fitted has one value.
std::vector<FittedRule> fates(const FitCorpus& corpus, std::vector<Bounds>& bounds, double most) {
  std::vector<FittedRule> out;
  auto counts = fit_counts(corpus);
  for (std::size_t i = 0; i < corpus.rules.size(); ++i) {
    const auto& rule = corpus.rules[i];
    auto verdict = judge_sets(counts[i], rule.spam);
    FittedRule fitted;
    fitted.points = verdict.fate == FitFate::unseen || verdict.fate == FitFate::fitted ? rule.points : 0;
    fitted.fate = verdict.fate;
    fitted.set = verdict.set;
    fitted.counts = std::move(counts[i]);
    if (verdict.fate != FitFate::fitted) {
      bounds.push_back({fitted.points, fitted.points});
    } else if (rule.spam) {
      bounds.push_back({0, most});
    } else {
      bounds.push_back({-most, 0});
    }
    out.push_back(std::move(fitted));
  }
  return out;
}

}  // namespace

std::vector<FitRates> rates_with(const FitCorpus& corpus, const std::vector<double>& points, double junk) {
  std::vector<FitRates> out(corpus.sets.size() + 1);
  for (const auto& mail : corpus.mails) {
    bool is = is_junk(score_of(mail, points), junk);
    count(out[mail.set], mail.spam, is);
    count(out.back(), mail.spam, is);
  }
  return out;
}

Result<Fit> fit_points(const FitCorpus& corpus, const FitOptions& options) {
  auto sound = check(corpus, options);
  if (!sound) return sound.error();
  Fit fit;
  Problem problem{corpus, options, {}, {}};
  fit.rules = fates(corpus, problem.bounds, options.most);
  problem.mails_of.resize(corpus.rules.size());
  std::vector<double> start;
  std::vector<double> present;
  for (std::uint32_t i = 0; i < corpus.mails.size(); ++i) {
    for (auto rule : corpus.mails[i].hits) problem.mails_of[rule].push_back(i);
  }
  for (std::size_t i = 0; i < corpus.rules.size(); ++i) {
    present.push_back(corpus.rules[i].points);
    start.push_back(clamp(fit.rules[i].points, problem.bounds[i]));
  }

  Setting best;
  for (double odds : kOdds) {
    std::vector<std::vector<double>> warm(options.folds, start);   // from one cost to the next points move little
    for (double ham_cost : kHamCosts) {
      Setting setting{odds, ham_cost};
      auto rates = cross_validate(problem, setting, warm);
      if (!fit.crossed.empty() && !better(rates.back(), fit.crossed.back(), options.ham_rate)) continue;
      fit.crossed = std::move(rates);
      best = setting;
    }
  }
  fit.odds = best.odds;
  fit.ham_cost = best.ham_cost;
  fit.attained = fit.crossed.back().ham_rate() <= options.ham_rate;
  descend(problem, best, options.folds, start);   // no mail is of that fold
  auto points = rounded(std::move(start), problem);
  for (std::size_t i = 0; i < points.size(); ++i) fit.rules[i].points = points[i];
  fit.before = rates_with(corpus, present, options.junk);
  fit.after = rates_with(corpus, points, options.junk);
  return fit;
}

}  // namespace postern::filters
