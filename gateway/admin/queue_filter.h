#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/store/types.h"

namespace postern::admin {

// Which entries of the outgoing queue are meant; what is not set takes all.
struct QueueFilter {
  std::string to;            // part of a recipient's address or of the destination
  std::string sender;        // part of the sender's address; "<>": the null sender
  std::string destination;   // the whole domain
  bool held = false;
  bool due = false;          // would be tried now if its host were there
  std::optional<std::chrono::milliseconds> older;   // has waited for longer

  bool is_set() const { return held || due || older || !to.empty() || !sender.empty() || !destination.empty(); }
  // `state`: nothing when it is damaged; such an entry has neither sender nor recipients.
  bool takes(const store::QueueEntry& entry, const std::optional<delivery::QueueState>& state, Time now) const;
};

// From the members of a request that bear the same names, `older` as text: "2d".  An Error names the wrong one.
Result<QueueFilter> read_queue_filter(const nlohmann::json& request);

}  // namespace postern::admin
