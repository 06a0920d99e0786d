// The report of a fit.
#include "filters/fit_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "filters/fit_points.h"
#include "filters/fit_sets.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxName = 40;

std::string cut(std::string text, std::size_t width) {
  text.resize(std::min(text.size(), kMaxName));
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string percent(double share) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%7.2f %%", 100 * share);
  return buffer;
}

std::string right(std::string text, std::size_t width) { return text.size() < width ? std::string(width - text.size(), ' ') + text : text; }

std::string set_name(const FitCorpus& corpus, std::uint32_t set) {
  if (set >= corpus.sets.size()) return "all sets together";
  return corpus.sets[set].empty() ? "the set without a name" : corpus.sets[set];
}

std::string remark(const FitCorpus& corpus, const FittedRule& rule) {
  switch (rule.fate) {
    case FitFate::fitted: return "";
    case FitFate::unseen: return "never spoke: left as it is";
    case FitFate::contradicted: return "speaks for the other side in " + set_name(corpus, rule.set) + ": drop it, or turn it";
    case FitFate::tells_sets:
      if (rule.set >= corpus.sets.size()) return "tells the sets apart and nothing inside them: drop it";
      return "a mark of " + set_name(corpus, rule.set) + " and of nothing else: drop it";
  }
  return "";
}

void add_rates(std::string& out, const FitCorpus& corpus, const Fit& fit, std::size_t row) {
  std::string set = row < corpus.sets.size() ? set_name(corpus, static_cast<std::uint32_t>(row)) : "together";
  out += cut(set, 24);
  for (bool spam : {false, true}) {
    const auto& before = fit.before[row];
    out += right(std::to_string(spam ? before.spam : before.ham), 9);
    for (const auto* rates : {&before, &fit.crossed[row], &fit.after[row]}) out += percent(spam ? rates->spam_rate() : rates->ham_rate());
  }
  out += "\n";
}

void add_rule(std::string& out, const FitCorpus& corpus, const Fit& fit, std::size_t i) {
  const auto& rule = fit.rules[i];
  FitCounts sum;
  for (const auto& counts : rule.counts) {
    sum.ham += counts.ham;
    sum.ham_hits += counts.ham_hits;
    sum.spam += counts.spam;
    sum.spam_hits += counts.spam_hits;
  }
  auto share = [](std::uint32_t hits, std::uint32_t of) { return of == 0 ? 0 : static_cast<double>(hits) / of; };
  char sureness[32];
  std::snprintf(sureness, sizeof sureness, "%8.1f", inside_sets(rule.counts));
  out += cut(corpus.rules[i].name, kMaxName) + right(points_text(corpus.rules[i].points), 7) + right(points_text(rule.points), 7) +
         percent(share(sum.ham_hits, sum.ham)) + percent(share(sum.spam_hits, sum.spam)) + sureness;
  auto why = remark(corpus, rule);
  out += why.empty() ? "\n" : "  " + why + "\n";
}

}  // namespace

std::string_view name(FitFate fate) {
  switch (fate) {
    case FitFate::fitted: return "fitted";
    case FitFate::unseen: return "unseen";
    case FitFate::contradicted: return "contradicted";
    case FitFate::tells_sets: return "tells_sets";
  }
  return "";
}

std::string fit_report(const FitCorpus& corpus, const FitOptions& options, const Fit& fit) {
  std::string out;
  if (!fit.attained) {
    out += "Not attained: at most " + points_text(100 * options.ham_rate) + " % of ham in Junk was wanted; this is as near as these rules come.\n";
  }
  out += "In Junk, from " + points_text(options.junk) + " points on; \"crossed\" is mail that the points were not fitted to, the figure to believe:\n" +
         cut("set", 24) + right("ham", 9) + right("now", 9) + right("crossed", 9) + right("new", 9) + right("spam", 9) + right("now", 9) + right("crossed", 9) + right("new", 9) + "\n";
  for (std::size_t row = 0; row < fit.crossed.size(); ++row) add_rates(out, corpus, fit, row);
  out += "\nPoints now and new, the share of ham and spam in which the rule spoke, and how sure it is inside the sets, in standard deviations:\n" +
         cut("rule", kMaxName) + right("now", 7) + right("new", 7) + right("ham", 9) + right("spam", 9) + right("sure", 8) + "\n";
  std::vector<std::size_t> order(fit.rules.size());
  std::iota(order.begin(), order.end(), 0);
  auto change = [&](std::size_t i) { return std::lround(100 * std::fabs(fit.rules[i].points - corpus.rules[i].points)); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return change(a) != change(b) ? change(a) > change(b) : a < b; });
  for (auto i : order) add_rule(out, corpus, fit, i);
  return out;
}

}  // namespace postern::filters
