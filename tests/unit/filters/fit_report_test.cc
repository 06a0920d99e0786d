// The report of a fit says what an administrator needs to take it or leave it.
#include "filters/fit_report.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

FitCorpus two_rules() {
  FitCorpus corpus;
  corpus.sets = {"2002", "modern"};
  corpus.rules = {{"steady", 1, true}, {"false-link", 1, true}, {"a-mark-with-a-name-that-is-far-too-long-for-its-column", 2, true}};
  return corpus;
}

Fit fit_of(bool attained) {
  Fit fit;
  fit.attained = attained;
  fit.rules.resize(3);
  fit.rules[0] = {1, FitFate::fitted, 2, {{100, 0, 100, 10}, {100, 1, 100, 9}}};
  fit.rules[1] = {2.5, FitFate::fitted, 2, {{100, 0, 100, 50}, {100, 1, 100, 40}}};
  fit.rules[2] = {0, FitFate::tells_sets, 1, {{100, 0, 100, 0}, {100, 0, 100, 99}}};
  fit.before = {{100, 0, 100, 10}, {100, 2, 100, 20}, {200, 2, 200, 30}};
  fit.crossed = {{100, 0, 100, 60}, {100, 1, 100, 70}, {200, 1, 200, 130}};
  fit.after = {{100, 0, 100, 61}, {100, 0, 100, 71}, {200, 0, 200, 132}};
  return fit;
}

std::string line_with(const std::string& text, std::string_view what) {
  auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  auto from = text.rfind('\n', at);
  return text.substr(from + 1, text.find('\n', at) - from - 1);
}

}  // namespace

TEST_CASE("a report shows each set before, crossed and after") {
  auto text = fit_report(two_rules(), {}, fit_of(true));
  CHECK(line_with(text, "2002  ") == "2002                          100   0.00 %   0.00 %   0.00 %      100  10.00 %  60.00 %  61.00 %");
  CHECK(line_with(text, "together") == "together                      200   1.00 %   0.50 %   0.00 %      200  15.00 %  65.00 %  66.00 %");
  CHECK(text.find("Not attained") == std::string::npos);
}

TEST_CASE("a report that does not reach what was wanted says so first") {
  CHECK(fit_report(two_rules(), {}, fit_of(false)).starts_with("Not attained: at most 0.1 % of ham in Junk was wanted"));
}

TEST_CASE("rules that change most come first, and what is dropped says why") {
  auto text = fit_report(two_rules(), {}, fit_of(true));
  CHECK(text.find("a-mark-with") < text.find("false-link"));
  CHECK(text.find("false-link") < text.find("steady"));
  auto line = line_with(text, "false-link");
  CHECK(line.find("      1    2.5   0.50 %  45.00 %") != std::string::npos);
  line = line_with(text, "a-mark-with");
  CHECK(line.find("a-mark-with-a-name-that-is-far-too-long-      2      0") == 0);
  CHECK(line.ends_with("a mark of modern and of nothing else: drop it"));
}
