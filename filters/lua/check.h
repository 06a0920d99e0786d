#pragma once

#include <vector>

#include "filters/lua/generation.h"
#include "filters/lua/state.h"

namespace postern::filters::lua {

// Looks for mistakes that loading does not show, in the compiled code of every rule file: names
// that do not exist, fields that do not exist (with the nearest name), state shared between
// messages, verdicts that are made and not returned or stand at the wrong stage.
void check(State& state, std::vector<Mistake>& mistakes);

}  // namespace postern::filters::lua
