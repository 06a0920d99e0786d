#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gateway/admin/context.h"
#include "gateway/io/task.h"
#include "gateway/store/types.h"

namespace postern::admin {

// `postern user stop|resume`: whether a user of ours may send.  The answer is {"ok":true,"user":...}.
io::Task<nlohmann::json> stop_sending(Context& context, store::Account account, std::string reason);
// `held`: what becomes of what lies in his Held: "send", "discard", or "" to leave it there.
io::Task<nlohmann::json> resume_sending(Context& context, store::Account account, std::string held);

// Fills in "stopped" (null, or since when and why) and "held" of the rows of `user list`.
io::Task<nlohmann::json> with_sending(Context& context, nlohmann::json rows);

}  // namespace postern::admin
