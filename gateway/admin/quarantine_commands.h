#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "quarantine list|show|release|delete": what all users' quarantines hold.
//   list     {user?, class?}: rows of {id, user, class, reason, score, sender, subject, date, size, uid, released}
//   show     {id, user?}: the row, header and text of the held message
//   release  {id, user?}: into the users' INBOX; of class virus the original, and the notice goes
//   delete   {id, user?}: for good, of class virus the original and the notice
// Of class virus the originals are listed, whatever the users did with their notices.
io::Task<nlohmann::json> run_quarantine_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
