#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "user add", "user set", "user password", "user remove", "user list", "user unban".
io::Task<nlohmann::json> run_user_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
