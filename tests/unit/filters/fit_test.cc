// Points fitted to judged mail: known weights come back, limits hold, and what cannot be known stays.
#include "filters/fit.h"

#include <cmath>
#include <random>

#include "filters/fit_sets.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

// How often a rule speaks, in ham and in spam.
struct Habit {
  double ham, spam;
};

// Mails whose rules speak independently of each other, so that the right points are known.
FitCorpus corpus_of(const std::vector<Habit>& habits, std::size_t mails, std::uint32_t seed = 1) {
  FitCorpus out;
  out.sets = {"one"};
  for (std::size_t i = 0; i < habits.size(); ++i) out.rules.push_back({"rule-" + std::to_string(i), 0, habits[i].spam >= habits[i].ham});
  std::mt19937 random(seed);
  auto chance = [&random](double of) { return static_cast<double>(random()) < of * 4294967296.0; };
  for (std::size_t i = 0; i < mails; ++i) {
    FitMail mail;
    mail.spam = i % 2 == 1;
    mail.fold = static_cast<std::uint32_t>(i / 2 % 5);
    for (std::uint32_t rule = 0; rule < habits.size(); ++rule) {
      if (chance(mail.spam ? habits[rule].spam : habits[rule].ham)) mail.hits.push_back(rule);
    }
    out.mails.push_back(std::move(mail));
  }
  return out;
}

FitMail mail_with(bool spam, std::uint32_t fold, std::vector<std::uint32_t> hits, std::uint32_t set = 0, double other = 0) {
  FitMail mail;
  mail.spam = spam;
  mail.fold = fold;
  mail.hits = std::move(hits);
  mail.set = set;
  mail.other = other;
  return mail;
}

Fit fitted(const FitCorpus& corpus, const FitOptions& options = {}) {
  auto fit = fit_points(corpus, options);
  INFO((fit ? "" : fit.error().text));
  REQUIRE(fit);
  return *fit;
}

std::vector<double> points_of(const Fit& fit) {
  std::vector<double> out;
  for (const auto& rule : fit.rules) out.push_back(rule.points);
  return out;
}


}  // namespace

TEST_CASE("rules that tell more get more points, in the order of what they tell") {
  std::vector<Habit> habits{{0.01, 0.9}, {0.02, 0.6}, {0.05, 0.4}, {0.1, 0.3}, {0.2, 0.25}, {0.4, 0.05}};
  FitOptions options;
  options.most = 10;
  options.ham_rate = 0.01;
  auto fit = fitted(corpus_of(habits, 8000), options);
  CHECK(fit.attained);
  for (std::size_t i = 1; i + 1 < habits.size(); ++i) {
    INFO("rule " << i);
    CHECK(fit.rules[i - 1].points > fit.rules[i].points);
  }
  CHECK(fit.rules.back().points < 0);
}

TEST_CASE("known weights come back, up to the worth of a point") {
  // Without a constant of its own the fit is right when the true one is what the threshold stands for: here ham says
  // nothing in 1 of e^(odds*junk) cases.  The differences between rules are then their log-ratios.
  FitCorpus corpus = corpus_of({{0.02, 0.02}}, 40);
  corpus.rules = {{"a", 0, true}, {"b", 0, true}, {"c", 0, false}};
  corpus.mails.clear();
  const double odds = 1;
  const std::vector<double> truth{4, 2.5, -2};
  std::mt19937 random(7);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    FitMail mail = mail_with(false, i % 5, {});
    mail.other = 2;
    double score = 2;
    for (std::uint32_t rule = 0; rule < 3; ++rule) {
      if (random() % 2 == 0) continue;
      mail.hits.push_back(rule);
      score += truth[rule];
    }
    mail.spam = static_cast<double>(random()) / 4294967296.0 < 1 / (1 + std::exp(-odds * (score - 5)));
    corpus.mails.push_back(std::move(mail));
  }
  FitOptions options;
  options.most = 10;
  options.ham_rate = 1;    // no false alarm costs more: the plain regression
  auto fit = fitted(corpus, options);
  // Which worth of a point was chosen scales all of them alike, and moves none past another.
  double ratio = fit.rules[0].points / fit.rules[1].points;
  CHECK(ratio > 1.3);
  CHECK(ratio < 2.1);
  CHECK(fit.rules[2].points < 0);
  CHECK(std::fabs(fit.rules[2].points) < fit.rules[0].points);
}

TEST_CASE("the ham rate that is wanted holds on mail that was not fitted to") {
  std::vector<Habit> habits{{0.02, 0.5}, {0.02, 0.5}, {0.05, 0.5}, {0.05, 0.4}, {0.1, 0.5}, {0.1, 0.3}};
  FitOptions options;
  double caught = 1;
  for (double rate : {0.05, 0.01, 0.002}) {
    options.ham_rate = rate;
    auto fit = fitted(corpus_of(habits, 4000), options);
    INFO("wanted " << rate << ", got " << fit.crossed.back().ham_rate() << " with " << fit.crossed.back().spam_rate() << " caught");
    CHECK(fit.attained);
    CHECK(fit.crossed.back().ham_rate() <= rate);
    auto fresh = rates_with(corpus_of(habits, 4000, 99), points_of(fit), options.junk);
    CHECK(fresh.back().ham_rate() <= 3 * rate);
    CHECK(fit.crossed.back().spam_rate() <= caught);
    caught = fit.crossed.back().spam_rate();
  }
  CHECK(caught > 0.05);
}

TEST_CASE("points never turn against what a rule speaks for, and stay within their limit and on their step") {
  std::vector<Habit> habits{{0.001, 0.95}, {0.1, 0.1}, {0.3, 0.28}, {0.9, 0.01}};
  FitOptions options;
  options.most = 2.5;
  options.step = 0.5;
  auto corpus = corpus_of(habits, 4000);
  corpus.rules[2].spam = true;     // speaks for spam, and a little for ham in truth
  auto fit = fitted(corpus, options);
  for (std::size_t i = 0; i < habits.size(); ++i) {
    INFO("rule " << i << ": " << fit.rules[i].points);
    CHECK((corpus.rules[i].spam ? fit.rules[i].points >= 0 : fit.rules[i].points <= 0));
    CHECK(std::fabs(fit.rules[i].points) <= 2.5);
    CHECK(std::fabs(std::remainder(fit.rules[i].points, 0.5)) < 1e-9);
  }
  CHECK(fit.rules[0].points == 2.5);
}

TEST_CASE("a rule that hardly ever speaks stays near its present points") {
  auto corpus = corpus_of({{0.01, 0.6}, {0.02, 0.5}}, 4000);
  corpus.rules.push_back({"rare", 1.5, true});
  corpus.rules.push_back({"never", 3, true});
  corpus.mails[1].hits.push_back(2);
  auto fit = fitted(corpus);
  CHECK(std::fabs(fit.rules[2].points - 1.5) <= 1);
  CHECK(fit.rules[2].fate == FitFate::fitted);
  CHECK(fit.rules[3].points == 3);
  CHECK(fit.rules[3].fate == FitFate::unseen);
}

TEST_CASE("rules that always speak together share what one alone would get") {
  auto alone = corpus_of({{0.05, 0.5}, {0.02, 0.3}}, 4000);
  auto twins = alone;
  twins.rules.push_back({"twin", 0, true});
  for (auto& mail : twins.mails) {
    if (!mail.hits.empty() && mail.hits.front() == 0) mail.hits.push_back(2);
  }
  FitOptions options;
  options.most = 10;
  auto one = fitted(alone, options);
  auto two = fitted(twins, options);
  CHECK(std::fabs(two.rules[0].points - two.rules[2].points) <= options.step + 1e-9);
  double together = two.rules[0].points + two.rules[2].points;
  CHECK(together >= one.rules[0].points * 0.7);
  CHECK(together <= one.rules[0].points * 1.5 + options.step);
}

TEST_CASE("the same mail gives the same points, whatever the order of the sets' names") {
  auto corpus = corpus_of({{0.02, 0.5}, {0.05, 0.4}, {0.3, 0.1}}, 2000);
  CHECK(points_of(fitted(corpus)) == points_of(fitted(corpus)));
}

TEST_CASE("points of rules that are not fitted count, so that the others make up for less") {
  auto corpus = corpus_of({{0.02, 0.6}, {0.05, 0.4}}, 4000);
  auto helped = corpus;
  for (auto& mail : helped.mails) {
    if (mail.spam) mail.other = 5;   // all spam is caught already
  }
  auto before = fitted(corpus);
  auto after = fitted(helped);
  CHECK(after.rules[0].points < before.rules[0].points);
  CHECK(after.crossed.back().spam_rate() == 1);
  CHECK(after.before.back().spam_junked == 2000);
}

TEST_CASE("mail that cannot be kept out of Junk is said, not hidden") {
  auto corpus = corpus_of({{0.02, 0.6}}, 2000);
  for (auto& mail : corpus.mails) {
    if (!mail.spam) mail.other = 9;
  }
  auto fit = fitted(corpus);
  CHECK_FALSE(fit.attained);
  CHECK(fit.crossed.back().ham_junked == 1000);
}

TEST_CASE("what cannot be fitted is an error in words") {
  auto good = corpus_of({{0.02, 0.5}}, 400);
  auto error = [](FitCorpus corpus, FitOptions options = {}) {
    auto fit = fit_points(corpus, options);
    REQUIRE_FALSE(fit);
    return fit.error().text;
  };
  CHECK(error({}).find("nothing to fit") != std::string::npos);
  auto silent = good;
  for (auto& mail : silent.mails) mail.hits.clear();
  CHECK(error(silent).find("nothing to fit") != std::string::npos);
  auto ham_alone = good;
  for (auto& mail : ham_alone.mails) mail.spam = false;
  CHECK(error(ham_alone).find("only 0 messages are spam") != std::string::npos);
  auto one_fold = good;
  for (auto& mail : one_fold.mails) mail.fold = 0;
  CHECK(error(one_fold).find("fold") != std::string::npos);
  auto stranger = good;
  stranger.mails[0].hits = {7};
  CHECK(error(stranger).find("rising numbers") != std::string::npos);
  auto twice = good;
  twice.mails[0].hits = {0, 0};
  CHECK(error(twice).find("rising numbers") != std::string::npos);
  auto no_set = good;
  no_set.mails[0].set = 4;
  CHECK(error(no_set).find("do not exist") != std::string::npos);
  auto no_number = good;
  no_number.rules[0].points = std::nan("");
  CHECK(error(no_number).find("no number") != std::string::npos);
  auto turned = good;
  turned.rules[0].points = -1;
  CHECK(error(turned).find("against what it speaks for") != std::string::npos);
  FitOptions options;
  options.step = 0;
  CHECK(error(good, options).find("step") != std::string::npos);
  options = {};
  options.folds = 1;
  CHECK(error(good, options).find("folds") != std::string::npos);
  options = {};
  options.most = 0.01;
  CHECK(error(good, options).find("at least one step") != std::string::npos);
}

TEST_CASE("input above the limits is refused before any work") {
  auto corpus = corpus_of({{0.02, 0.5}}, 400);
  auto many_rules = corpus;
  many_rules.rules.resize(kMaxFitRules + 1, many_rules.rules[0]);
  CHECK_FALSE(fit_points(many_rules, {}));
  auto many_sets = corpus;
  many_sets.sets.resize(kMaxFitSets + 1);
  CHECK_FALSE(fit_points(many_sets, {}));
  auto many_mails = corpus;
  many_mails.mails.resize(kMaxFitMails + 1);
  CHECK_FALSE(fit_points(many_mails, {}));
  auto many_hits = corpus;
  many_hits.rules.resize(kMaxFitRules, many_hits.rules[0]);
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < kMaxFitRules; ++i) all.push_back(i);
  for (std::size_t i = 0; i * kMaxFitRules <= kMaxFitHits; ++i) many_hits.mails.push_back(mail_with(false, 0, {}));
  for (auto& mail : many_hits.mails) mail.hits = all;
  auto fit = fit_points(many_hits, {});
  REQUIRE_FALSE(fit);
  CHECK(fit.error().text.find("50 million") != std::string::npos);
}

TEST_CASE("perfectly separable mail gives finite points at the limit") {
  auto corpus = corpus_of({{0.0, 1.0}, {1.0, 0.0}}, 1000);
  auto fit = fitted(corpus);
  CHECK(fit.rules[0].points == 4);
  CHECK(std::isfinite(fit.rules[1].points));
}

TEST_CASE("a rule that tells only where mail was collected is found out") {
  using Counts = std::vector<FitCounts>;
  // ham, ham hits, spam, spam hits
  struct Case {
    const char* what;
    Counts counts;
    bool spam;
    FitFate fate;
    std::uint32_t set;
  };
  const std::vector<Case> cases{
      {"it tells spam in both sets", {{1000, 10, 1000, 300}, {1000, 20, 1000, 200}}, true, FitFate::fitted, 2},
      {"it tells ham in both sets", {{1000, 300, 1000, 10}, {1000, 200, 1000, 20}}, false, FitFate::fitted, 2},
      {"it tells spam in one set and the other has no such mail", {{1000, 10, 1000, 300}, {1000, 0, 1000, 0}}, true, FitFate::fitted, 2},
      {"spam was collected where it always speaks, ham where it never does", {{900, 810, 100, 90}, {100, 5, 900, 45}}, false, FitFate::tells_sets, 2},
      {"the same the other way", {{100, 90, 900, 810}, {900, 45, 100, 5}}, true, FitFate::tells_sets, 2},
      {"it marks the spam of one set", {{1000, 0, 1000, 900}, {1000, 0, 1000, 3}}, true, FitFate::tells_sets, 0},
      {"it marks the ham of one set", {{1000, 3, 1000, 0}, {1000, 980, 1000, 0}}, false, FitFate::tells_sets, 1},
      {"it marks a set, but the other has too little spam to say so", {{1000, 0, 1000, 900}, {1000, 0, 10, 0}}, true, FitFate::fitted, 2},
      {"it speaks for the other side in a set", {{1000, 10, 1000, 300}, {1000, 100, 1000, 20}}, true, FitFate::contradicted, 1},
      {"it speaks for the other side in all of them together", {{1000, 20, 1000, 12}, {1000, 25, 1000, 12}, {1000, 30, 1000, 15}}, true, FitFate::contradicted, 3},
      {"it never speaks", {{1000, 0, 1000, 0}}, true, FitFate::unseen, 1},
      {"there is one set only", {{1000, 5, 1000, 700}}, true, FitFate::fitted, 1},
      {"a set of one class says nothing", {{1000, 10, 1000, 300}, {1000, 900, 0, 0}}, true, FitFate::fitted, 2},
  };
  for (const auto& each : cases) {
    INFO(each.what << ": inside " << inside_sets(each.counts));
    auto verdict = judge_sets(each.counts, each.spam);
    CHECK(verdict.fate == each.fate);
    if (verdict.fate == each.fate) CHECK(verdict.set == each.set);
  }
}

TEST_CASE("a rule that only tells the sets apart gets no points") {
  auto corpus = corpus_of({{0.02, 0.5}, {0.05, 0.4}}, 2000);
  corpus.sets = {"then", "now"};
  corpus.rules.push_back({"year", 2, true});
  for (std::size_t i = 0; i < corpus.mails.size(); ++i) {
    auto& mail = corpus.mails[i];
    // 9 of 10 spams are of now, 9 of 10 hams of then, and the rule speaks of now alone.
    mail.set = (i / 2 % 10 == 0) == mail.spam ? 0 : 1;
    if (mail.set == 1) mail.hits.push_back(2);
  }
  auto fit = fitted(corpus);
  CHECK(fit.rules[2].fate == FitFate::tells_sets);
  CHECK(fit.rules[2].points == 0);
  CHECK(fit.rules[2].counts.size() == 2);
  CHECK(fit.rules[2].counts[1].spam_hits == 900);
  CHECK(fit.rules[2].counts[1].ham_hits == 100);
  CHECK(fit.crossed.size() == 3);
  CHECK(fit.crossed[0].spam + fit.crossed[1].spam == fit.crossed[2].spam);
}
