#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"
#include "gateway/io/task.h"

namespace postern::admin {

// "dns", with "domain" and perhaps "check".  As run_command; "wrong" counts what is needed and not right.
io::Task<nlohmann::json> run_dns_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
