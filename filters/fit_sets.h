#pragma once

#include <vector>

#include "filters/fit.h"

namespace postern::filters {

// By rule and set.
std::vector<std::vector<FitCounts>> fit_counts(const FitCorpus& corpus);

// Whether a rule that speaks for spam (or ham) does so whatever the set; gives the fate and the set that decided it.
//
//   contradicted  inside a set, or inside the sets together, it is significantly commoner in the other class.
//   tells_sets    all mail in one heap makes it look significant, and inside the sets nothing is left of that
//                 (Cochran, Mantel and Haenszel's test); or it speaks in most of one set's class and in next to nothing
//                 of the same class elsewhere, where there is enough of it: a mark of where mail comes from.
struct SetVerdict {
  FitFate fate = FitFate::fitted;
  std::uint32_t set = 0;
};
SetVerdict judge_sets(const std::vector<FitCounts>& counts, bool spam);

// Standard deviations by which hits are commoner in spam than in ham, inside the sets; 0 where nothing can be said.
double inside_sets(const std::vector<FitCounts>& counts);

}  // namespace postern::filters
