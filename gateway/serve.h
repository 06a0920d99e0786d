#pragma once

#include <string>

namespace postern {

// `postern serve`: the gateway in the foreground until SIGTERM or SIGINT.  Gives the exit status:
// 0 after a graceful end, 1 it could not start, 2 wrong configuration.
int serve(const std::string& config_file);

}  // namespace postern
