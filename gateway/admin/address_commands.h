#pragma once

#include <nlohmann/json.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "alias add": {"address", "targets"}, "alias remove": the same, without targets the whole alias goes; "alias list",
// "alias show": {"address"}.  "forward set": {"address", "targets", "keep"}, "forward remove": {"address"}, "forward list".
io::Task<nlohmann::json> run_alias_command(Context& context, nlohmann::json request);
io::Task<nlohmann::json> run_forward_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
