// Does a rule know spam, or only where and when mail was collected?
#include "filters/fit_sets.h"

#include <cmath>

namespace postern::filters {
namespace {

constexpr double kSure = 3;            // standard deviations: one rule of 150 is judged wrongly now and then
constexpr double kNothing = 1;
constexpr std::uint32_t kEnough = 50;  // mails of a class from which on a set says how often a rule speaks there
constexpr double kMost = 0.5;          // of one set's class
constexpr double kNextToNone = 0.01;   // of the others'

FitCounts together(const std::vector<FitCounts>& counts) {
  FitCounts sum;
  for (const auto& set : counts) {
    sum.ham += set.ham;
    sum.ham_hits += set.ham_hits;
    sum.spam += set.spam;
    sum.spam_hits += set.spam_hits;
  }
  return sum;
}

double rate(std::uint32_t hits, std::uint32_t of) { return of == 0 ? 0 : static_cast<double>(hits) / of; }

// The set in most of whose class the rule speaks, and hardly anywhere else; counts.size(): there is none.
std::size_t marked(const std::vector<FitCounts>& counts, bool spam) {
  std::size_t found = counts.size();
  std::size_t others = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    auto mails = spam ? counts[i].spam : counts[i].ham;
    if (mails < kEnough) continue;
    double here = rate(spam ? counts[i].spam_hits : counts[i].ham_hits, mails);
    if (here >= kMost && found == counts.size()) {
      found = i;
    } else if (here > kNextToNone) {
      return counts.size();
    } else {
      ++others;
    }
  }
  return others > 0 ? found : counts.size();
}

}  // namespace

std::vector<std::vector<FitCounts>> fit_counts(const FitCorpus& corpus) {
  std::vector<FitCounts> sizes(corpus.sets.size());
  for (const auto& mail : corpus.mails) ++(mail.spam ? sizes[mail.set].spam : sizes[mail.set].ham);
  std::vector<std::vector<FitCounts>> out(corpus.rules.size(), sizes);
  for (const auto& mail : corpus.mails) {
    for (auto rule : mail.hits) {
      auto& counts = out[rule][mail.set];
      ++(mail.spam ? counts.spam_hits : counts.ham_hits);
    }
  }
  return out;
}

double inside_sets(const std::vector<FitCounts>& counts) {
  double more = 0;
  double variance = 0;
  for (const auto& set : counts) {
    double spam = set.spam;
    double ham = set.ham;
    double all = spam + ham;
    double hits = static_cast<double>(set.spam_hits) + set.ham_hits;
    if (set.spam == 0 || set.ham == 0 || all < 2) continue;   // a set of one class says nothing of the difference
    more += set.spam_hits - spam * hits / all;
    variance += spam * ham * hits * (all - hits) / (all * all * (all - 1));
  }
  return variance > 0 ? more / std::sqrt(variance) : 0;
}

SetVerdict judge_sets(const std::vector<FitCounts>& counts, bool spam) {
  double sign = spam ? 1 : -1;
  auto all = static_cast<std::uint32_t>(counts.size());
  auto sum = together(counts);
  if (sum.ham_hits + sum.spam_hits == 0) return {FitFate::unseen, all};
  for (std::uint32_t i = 0; i < all; ++i) {
    if (sign * inside_sets({counts[i]}) <= -kSure) return {FitFate::contradicted, i};
  }
  double inside = sign * inside_sets(counts);
  if (inside <= -kSure) return {FitFate::contradicted, all};
  auto mark = marked(counts, spam);
  if (mark < counts.size()) return {FitFate::tells_sets, static_cast<std::uint32_t>(mark)};
  if (sign * inside_sets({sum}) >= kSure && inside < kNothing) return {FitFate::tells_sets, all};
  return {FitFate::fitted, all};
}

}  // namespace postern::filters
