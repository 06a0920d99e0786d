#pragma once

#include <string>

#include "gateway/delivery/plan.h"

namespace postern::delivery {

// The message that a user finds in his Quarantine instead of one with a virus: who sent what, which
// signature, the case id to tell the administrator.  Octets with CRLF, nothing of the original body.
std::string virus_notice(const Judged& message, std::size_t recipient, const std::string& hostname);

}  // namespace postern::delivery
