// What of the queue an administrator means.
#include "gateway/admin/queue_filter.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/base/text.h"

namespace postern::admin {

bool QueueFilter::takes(const store::QueueEntry& entry, const std::optional<delivery::QueueState>& state, Time now) const {
  if (held && !entry.held) return false;
  if (due && (entry.held || entry.due > now)) return false;
  if (older && now - entry.arrived < *older) return false;
  if (!destination.empty() && !iequals(entry.destination, destination)) return false;
  auto from = state ? state->sender : "";
  if (sender == "<>" ? !state || !from.empty() : !sender.empty() && ifind(from, sender) == std::string::npos) return false;
  if (to.empty() || ifind(entry.destination, to) != std::string::npos) return true;
  return state && std::any_of(state->recipients.begin(), state->recipients.end(),
                              [this](const delivery::Pending& who) { return ifind(who.address, to) != std::string::npos; });
}

Result<QueueFilter> read_queue_filter(const nlohmann::json& request) {
  QueueFilter out;
  out.to = request.value("to", "");
  out.sender = request.value("sender", "");
  out.destination = request.value("destination", "");
  out.held = request.value("held", false);
  out.due = request.value("due", false);
  if (out.held && out.due) return Error("what is held is not due: give --held or --due");
  auto older = request.value("older", "");
  if (older.empty()) return out;
  auto milliseconds = parse_milliseconds(older);
  if (!milliseconds) return Error("\"" + printable(older, 40) + "\" is no time such as 30m, 4h or 2d");
  out.older = std::chrono::milliseconds(*milliseconds);
  return out;
}

}  // namespace postern::admin
