// check_spf: our evaluation, and libspf2's opinion of it.
#include "filters/spf.h"

#include "filters/spf_check.h"
#include "filters/spf_libspf2.h"
#include "gateway/base/log.h"

namespace postern::filters {
namespace {

bool is_definite(SpfResult result) {
  return result == SpfResult::pass || result == SpfResult::fail || result == SpfResult::softfail || result == SpfResult::neutral;
}

void compare(const SpfCheck& check, const SpfQuery& query, Spf& spf) {
  auto opinion = libspf2_opinion(check.values(), check.records(), check.lookups());
  if (!opinion) return;
  ++spf_figures().compared;
  if (*opinion == spf.result) return;
  ++spf_figures().differed;
  spf.libspf2_differs = true;
  log::warning("spf.opinions_differ", {{"ip", query.ip.to_string()},
                                       {"domain", spf.domain},
                                       {"result", std::string(name(spf.result))},
                                       {"libspf2", std::string(name(*opinion))}});
}

}  // namespace

SpfFigures& spf_figures() {
  static SpfFigures figures;
  return figures;
}

io::Task<Spf> check_spf(dns::Resolver& resolver, SpfQuery query, Deadline deadline, SpfOptions options) {
  SpfCheck check(resolver, query, deadline, options);
  auto spf = co_await check.run();
  // Errors are not compared: limits and strictness are where the library is known to be wrong.
  if (options.second_opinion && is_definite(spf.result)) compare(check, query, spf);
  co_return spf;
}

}  // namespace postern::filters
