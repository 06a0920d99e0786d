#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "gateway/admin/context.h"

namespace postern::admin {

// The users' own lists of senders, which moving messages over IMAP writes as well.
//   quarantine allow|block|forget  {user, sender}: one entry, an address or a domain
//   user lists                     {address}: rows of {sender, list}
bool is_sender_command(std::string_view command);
io::Task<nlohmann::json> run_sender_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
