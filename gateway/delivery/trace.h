#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/plan.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/report.h"
#include "gateway/smtp_client/outcome.h"
#include "gateway/store/trace.h"

// What delivery writes into the trace (store/trace.h).  Pure functions; the rows ride in the commit of what they tell.
// No secrets: no token, no body, nothing of AUTH but the login's name.
namespace postern::delivery {

// What was judged, under trace_key(): JSON with time, session, ip, helo, from, login, trusted, message_id, size, verdict,
// score, reply, rules, recipients by address, hits, facts.  `reply` is the text that is said.
store::Row judged_row(const Judged& message, const std::string& reply);
store::TraceLine line_of(const Judged& message, const std::string& reply);
// All rows of a judged message; its session's trace tells that it brought it (event "message").
std::vector<store::Row> trace_rows(const Judged& message, const std::string& reply);

// One try to hand the message on for one recipient, and what came of it: "sent", "deferred", "failed".
store::TraceEvent attempt_event(std::string_view what, const std::string& to, const smtp_client::Outcome& outcome, const std::string& host);
// Adds one event of the message with that id, if it has a trace.
void add_event(std::vector<store::Row>& rows, const std::string& id, const store::TraceEvent& event);

}  // namespace postern::delivery
