#pragma once

#include <string>

#include "gateway/base/result.h"
#include "gateway/io/fd.h"

namespace postern::store {

// Holds `path` with our pid in it as long as the value lives.  The Error names the pid of who holds
// it.  The kernel lets go when the process ends, however it ends.
Result<io::Fd> hold_lock_file(const std::string& path);

}  // namespace postern::store
