#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"
#include "gateway/io/task.h"

namespace postern::admin {

// "dkim new|list|show|check|use|rotate|remove".  As run_command.  No answer holds a private key.
io::Task<nlohmann::json> run_dkim_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
