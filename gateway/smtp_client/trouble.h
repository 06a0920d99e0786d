#pragma once

#include <optional>

#include "gateway/io/task.h"
#include "gateway/smtp_client/outcome.h"

namespace postern::smtp_client {

// Runs `work` and turns what it throws into an outcome at `step` as it then stands; nothing when it ended well.
// `step` must outlive the task.
io::Task<std::optional<Outcome>> trouble_of(io::Task<void> work, const Step& step);

}  // namespace postern::smtp_client
