// The one place that knows libpsl.
#include "filters/public_suffix.h"

#include <libpsl.h>

#include <memory>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

const psl_ctx_t* public_suffixes() {
  struct Free {
    void operator()(psl_ctx_t* list) const { psl_free(list); }
  };
  // The newer of the distribution's file and what libpsl was built with.
  static const std::unique_ptr<psl_ctx_t, Free> latest(psl_latest(nullptr));
  return latest ? latest.get() : psl_builtin();
}

}  // namespace

std::string registrable_domain(std::string_view domain) {
  std::string name = ascii_lowered(domain);
  const char* registrable = psl_registrable_domain(public_suffixes(), name.c_str());
  return registrable != nullptr ? std::string(registrable) : std::string();
}

bool has_known_tld(std::string_view domain) {
  std::size_t dot = domain.rfind('.');
  std::string tld = ascii_lowered(dot == std::string_view::npos ? domain : domain.substr(dot + 1));
  if (tld.empty()) return false;
  return psl_is_public_suffix2(public_suffixes(), tld.c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) == 1;
}

}  // namespace postern::filters
