#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "quarantine list|show|release|delete": what all users' quarantines hold.
//   list     {user?, class?, sender?, older?, newer?, from?}: rows of {id, user, class, reason, score, sender, subject,
//            date, size, uid, released}; ages in milliseconds; "next" in the answer is the `from` of the next page
//   show     {id, user?, raw?, text?}: the row and the message, see quarantine_show.h
//   release  {id?, user?, class?, sender?, older?, newer?, dry?, from?}: into the users' INBOX; of class virus the
//            original, and the notice goes.  Without an id only what is not released yet.  "dry": nothing is done
//   delete   the same: for good, of class virus the original and the notice
// Of class virus the originals are listed, whatever the users did with their notices.
io::Task<nlohmann::json> run_quarantine_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
