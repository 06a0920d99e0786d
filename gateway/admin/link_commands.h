#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "quarantine digest": {user, now?}: what is new in his quarantine: {"user", "new", "text"}; with "now" it is sent to him.
io::Task<nlohmann::json> run_digest_command(Context& context, nlohmann::json request);

// "user invite": {address, send?, to?}: a link with which the user sets his password once: {"user", "link", "expires",
// "sent_to"}.  Whose mail goes on gets his account, if he has none yet.
io::Task<nlohmann::json> run_invite_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
