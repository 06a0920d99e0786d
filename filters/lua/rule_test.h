#pragma once

#include <memory>
#include <string>
#include <vector>

#include "filters/lua/generation.h"
#include "filters/lua/state.h"

namespace postern::filters::lua {

struct FailedTest {
  Mistake mistake;     // at: of the test; what: expected and found
  std::string test;
};

// Runs the tests of a loaded rule set through the real judge, with the facts that they give.
// Blocks; makes a loop of its own.
std::vector<FailedTest> run_tests(const std::shared_ptr<State>& state);

}  // namespace postern::filters::lua
