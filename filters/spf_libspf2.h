#pragma once

#include <map>
#include <optional>
#include <string>

#include "filters/facts.h"
#include "filters/spf_lookups.h"
#include "filters/spf_macro.h"
#include "filters/spf_record.h"

// libspf2 as the second opinion on an evaluation that is done.
namespace postern::filters {

// What libspf2 1.2.10 says of the same records and answers, or nothing where it cannot be asked fairly.
//
// It never sees what a foreigner wrote: each record is written anew from its parsed form, macros expanded (CVE-2023-42118
// and the %{d2} mistake are in its macro code), exp= and unknown modifiers left out, /0 rewritten.  It asks no DNS: it
// is answered from `answers`.  Nothing is said about loopback clients (it passes them unseen), names that are no host
// names, answers that were temporary, and questions that we did not ask.  Takes about 15 us; any thread, for
// each call has a server object of its own.
std::optional<SpfResult> libspf2_opinion(const MacroValues& values, const std::map<std::string, SpfRecord>& records, const SpfLookups& answers);

// The record as libspf2 gets it; nothing if it has something that cannot be said to it.
std::optional<std::string> sanitised_record(const SpfRecord& record, const std::string& domain, const MacroValues& values);

}  // namespace postern::filters
