#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"
#include "gateway/admin/held.h"

namespace postern::admin {

// Adds to `row` what a held message is made of:
//   as it is     "text", the first 64 KiB of the octets; "cut": there are more
//   "raw"        "octets" in base64 from "offset" on, and "more" while there are more behind them
//   "text"       what a person reads, without loading anything: fields, parts, text; HTML as text
// The arguments outlive the task.
io::Task<void> show_held(Context& context, const HeldCopy& copy, const nlohmann::json& request, nlohmann::json& row);

}  // namespace postern::admin
