#pragma once

#include <nlohmann/json.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "list add": {"address", settings}; "list set": the same, only what is there is changed; "list remove", "list show":
// {"address"}; "list list"; "list subscribe": {"address", "members", "mail"}; "list unsubscribe": {"address", "members"}.
// Settings: {"owners", "moderators", "post", "subscription": "open" or "closed", "archive", "reply_to": "author" or "list",
// "prefix", "name", "bounces"}.
io::Task<nlohmann::json> run_list_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
