#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "tlsrpt" {day?}: what came of TLS with other domains on a day ("2026-11-30"; today), a report of RFC 8460 for each as a
// row.  A session counts some seconds after it ended.
io::Task<nlohmann::json> run_tlsrpt_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
