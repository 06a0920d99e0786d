#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::admin {

// "replay" {since: milliseconds since 1970}: kept mail with what was written down of it, a page a request, over one
// connection (conversation.h).  Each message once, however many copies there are; the newest mailbox says nothing of the
// order.
//   answer          {"ok", "rows": [{"id", "subject", "judged": text of the row trace:<id>, "octets": base 64}], "done"}
//   "replay next"   the same again; with "done" the conversation is over, and the answer has
//                   "skipped": {"large", "untold", "damaged"}: too large for a page, nothing written down, not to be read
io::Task<nlohmann::json> serve_replay(io::Stream& stream, Context& context, nlohmann::json request);

}  // namespace postern::admin
