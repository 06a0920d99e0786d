#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <unordered_map>
#include <vector>

#include "filters/bayes.h"
#include "tests/bench/bayes_corpus.h"

// The weights of filters/bayes.cc: logistic regression on the features of mails that the counts do not know, without a
// constant, and with weights of the wrong sign held at 0.
namespace postern::bench {

constexpr std::size_t kFeatures = filters::kBayesFeatures;
using Features = std::array<double, kFeatures>;

struct Sample {
  Features features{};
  bool spam = false;
  bool hard = false;    // newsletters
  std::size_t group = 0;
};

// Newton's steps with a penalty on large weights; `off` stay 0.
inline Features regress(const std::vector<Sample>& samples, int but, const std::array<bool, kFeatures>& off) {
  constexpr double kPenalty = 10;
  Features weights{};
  for (int round = 0; round < 25; ++round) {
    std::array<std::array<double, kFeatures + 1>, kFeatures> m{};
    for (std::size_t i = 0; i < kFeatures; ++i) m[i][i] = kPenalty, m[i][kFeatures] = -kPenalty * weights[i];
    for (const Sample& sample : samples) {
      if (but >= 0 && static_cast<int>(filters::bayes_mix(sample.group * 991 + 7) % 5) == but) continue;
      double sum = 0;
      for (std::size_t i = 0; i < kFeatures; ++i) sum += weights[i] * sample.features[i];
      double p = 1 / (1 + std::exp(-sum)), error = (sample.spam ? 1 : 0) - p, slope = std::max(1e-6, p * (1 - p));
      for (std::size_t i = 0; i < kFeatures; ++i) {
        double x = off[i] ? 0 : sample.features[i];
        m[i][kFeatures] += error * x;
        for (std::size_t j = 0; j < kFeatures; ++j) m[i][j] += off[j] ? 0 : slope * x * sample.features[j];
      }
    }
    double moved = 0;
    for (std::size_t i = 0; i < kFeatures; ++i) {   // the matrix is positive definite: no pivots
      for (std::size_t row = 0; row < kFeatures; ++row) {
        if (row == i) continue;
        double factor = m[row][i] / m[i][i];
        for (std::size_t j = i; j <= kFeatures; ++j) m[row][j] -= factor * m[i][j];
      }
    }
    for (std::size_t i = 0; i < kFeatures; ++i) {
      double step = std::clamp(m[i][kFeatures] / m[i][i], -2.0, 2.0);
      weights[i] += step;
      moved += std::abs(step);
    }
    if (moved < 1e-4) break;
  }
  return weights;
}

inline Features regress_with_signs(const std::vector<Sample>& samples, int but) {
  std::array<bool, kFeatures> off{};
  while (true) {
    Features weights = regress(samples, but, off);
    std::size_t worst = kFeatures;
    double most = 1e-9;
    for (std::size_t i = 0; i < kFeatures; ++i) {
      double wrong = i % 3 == 1 ? weights[i] : -weights[i];
      if (wrong > most) most = wrong, worst = i;
    }
    if (worst == kFeatures) return weights;
    off[worst] = true;
  }
}

inline void fit(const std::vector<Mail>& mails) {
  std::vector<Sample> samples;
  for (std::size_t fold = 0; fold < 5; ++fold) {
    std::unordered_map<filters::BayesToken, filters::BayesCounts> counts;
    filters::BayesTotals totals;
    auto aside = [&](const Mail& mail) { return filters::bayes_mix(mail.group * 77 + 5) % 5 == fold; };
    for (const Mail& mail : mails) {
      if (mail.test || aside(mail)) continue;
      ++(mail.spam ? totals.spam : totals.ham);
      for (auto token : mail.tokens) ++(mail.spam ? counts[token].spam : counts[token].ham);
    }
    for (const Mail& mail : mails) {
      if (mail.test || !aside(mail)) continue;
      std::vector<filters::BayesCounts> known;
      for (auto token : mail.tokens) {
        auto found = counts.find(token);
        known.push_back(found == counts.end() ? filters::BayesCounts() : found->second);
      }
      samples.push_back({filters::bayes_features(mail.tokens, known, totals), mail.spam, mail.set == "hard-ham-1", mail.group});
    }
  }
  std::vector<double> spam, ham, hard;
  for (int but = 0; but < 5; ++but) {
    Features weights = regress_with_signs(samples, but);
    for (const Sample& sample : samples) {
      if (static_cast<int>(filters::bayes_mix(sample.group * 991 + 7) % 5) != but) continue;
      double sum = 0;
      for (std::size_t i = 0; i < kFeatures; ++i) sum += weights[i] * sample.features[i];
      (sample.spam ? spam : sample.hard ? hard : ham).push_back(1 / (1 + std::exp(-sum)));
    }
  }
  for (double from : {0.5, 0.7, 0.8, 0.9, 0.95, 0.98}) {
    auto above = [&](const std::vector<double>& of) { return static_cast<std::size_t>(std::count_if(of.begin(), of.end(), [&](double p) { return p >= from; })); };
    std::printf("from %.2f: %zu of %zu spam, %zu of %zu ordinary ham, %zu of %zu hard ham\n", from, above(spam), spam.size(), above(ham), ham.size(), above(hard), hard.size());
  }
  Features weights = regress_with_signs(samples, -1);
  for (std::size_t kind = 0; kind < filters::kBayesKinds; ++kind) std::printf("    {%.3f, %.3f, %.3f},\n", weights[3 * kind], weights[3 * kind + 1], weights[3 * kind + 2]);
}

}  // namespace postern::bench
