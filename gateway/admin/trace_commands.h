#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

// What happened to a message or in a session, from the trace (store/trace.h).
namespace postern::admin {

// "why" {id}: new_id()'s text of a message or a session, or a Message-ID.
//   {"ok", "id", "what": "message" | "session", "line": as a row of "trace", "judged": {...}, "events": [...], "queue": [...],
//    "messages": [ids]}
//   judged    what was decided, with hits and facts; null: it was never judged (a report of ours), or is a session's
//   events    in their order: {"time", "event", ...}; of a message with those of its session that concern it
//   queue     what still waits of it, as "queue list" has it
//   messages  of a session, those that it brought
// Of a Message-ID that several messages bear: {"ok", "lines": [rows of "trace"]}.
// "trace" {from?, to?, subject?, ip?, message_id?, since?, until?: milliseconds since 1970, limit?}
//   {"ok", "rows": [{"id", "time", "what", "verdict", "score", "from", "author", "to": [...], "recipients", "subject", "ip",
//    "login", "message_id", "size", "reply"}], "more", "looked_back_to"?}
io::Task<nlohmann::json> run_trace_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
