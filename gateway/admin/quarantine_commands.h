#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "quarantine list|show|release|delete": what all users' quarantines hold.
//   list     {user?, class?, from?}: rows of {id, user, class, reason, score, sender, subject, date, size, uid, released};
//            "next" in the answer is the `from` of the next page
//   show     {id, user?}: the row, and the message as "text"; "cut": it has more octets than these
//   release  {id, user?}: into the users' INBOX; of class virus the original, and the notice goes
//   delete   {id, user?}: for good, of class virus the original and the notice
// Of class virus the originals are listed, whatever the users did with their notices.
io::Task<nlohmann::json> run_quarantine_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
