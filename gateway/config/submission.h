#pragma once

#include "gateway/config/section.h"

namespace postern::config {

// [submission] with its users.  An address is checked against our domains by whoever has read them all.
void read_submission(Section section, Submission& submission);

}  // namespace postern::config
