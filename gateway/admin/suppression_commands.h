#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "suppression list" {address?, user?}, "suppression add" {address, user?, reason?, for?: milliseconds, 0 for ever},
// "suppression remove" {address, user?}.  Without a user: for everybody; `remove` then lifts all that there is of the
// address and forgets its bounces.
io::Task<nlohmann::json> run_suppression_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
