#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "gateway/admin/context.h"
#include "gateway/admin/queue_filter.h"

namespace postern::admin {

// "queue retry|hold|thaw|delete|bounce", see queue_commands.h.
io::Task<nlohmann::json> change_queue(Context& context, nlohmann::json request, QueueFilter filter);

// The request's "ids"; an Error names what is none.
Result<std::vector<store::QueueId>> read_queue_ids(const nlohmann::json& request);

}  // namespace postern::admin
