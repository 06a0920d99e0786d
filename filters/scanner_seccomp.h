#pragma once

#include "gateway/base/result.h"

namespace postern::filters {

// Installs the scanner's system call filter on this thread, for good.  Every call that is not
// allowed fails with EPERM, so that a parser which tries an odd call gives an error and no crash.
// Opening, making and removing files is allowed: the caller has shut away all but its own.
Status install_filter();

}  // namespace postern::filters
