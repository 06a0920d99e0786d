#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/shared.h"

namespace postern {

// Puts the settings of shared.config in force that can change while running.  The main loop's thread.
void apply_settings(Shared& shared);
// Reads certificate and key anew; without any the services do without TLS.  An error leaves the old ones.
Status load_tls(Shared& shared);
// The configuration file and the rules anew: what can change while running does, the rest is named; a mistake
// leaves all as it was.  Gives {"ok", "mistakes", "warnings"}; all is logged as well.  The main loop's thread.
io::Task<nlohmann::json> reload(Shared& shared);

}  // namespace postern
