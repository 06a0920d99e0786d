#pragma once

#include "gateway/config/section.h"

namespace postern::config {

// [routes] and [senders]; the domains must have been read.
void read_routes(Section& top, Config& config);

}  // namespace postern::config
