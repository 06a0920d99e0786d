#pragma once

#include <string>
#include <string_view>

#include "gateway/delivery/plan.h"

namespace postern::delivery {

// Neither held nor refused nor junk: it may leave for others.
bool is_good(const smtp::RecipientVerdict& copy);

// This recipient's copy is held: `why` is the first of its reasons, in the name of `rule`.
void hold(Judged& message, std::size_t recipient, std::string_view message_class, const std::string& why, const std::string& rule = "forward");

}  // namespace postern::delivery
