#pragma once

#include <string>

#include "filters/fit.h"

namespace postern::filters {

// What a fit came to, for the administrator who decides whether to take it: how much ham and spam each set has in Junk with the
// present points, by cross-validation, and with the new points; then each rule, those first whose points change most, with how
// often it spoke and why it gets none.  Plain text, a line each; names longer than 40 octets are cut.
std::string fit_report(const FitCorpus& corpus, const FitOptions& options, const Fit& fit);

// "fitted", "unseen", "contradicted", "tells_sets"
std::string_view name(FitFate fate);

}  // namespace postern::filters
