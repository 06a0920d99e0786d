#pragma once

#include "gateway/config/section.h"

namespace postern::config {

// Of `section`, [abuse].
void read_abuse(Section section, Abuse& abuse);

}  // namespace postern::config
