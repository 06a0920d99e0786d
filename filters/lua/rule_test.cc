#include "filters/lua/rule_test.h"
namespace postern::filters::lua {
std::vector<FailedTest> run_tests(const std::shared_ptr<State>&) { return {}; }
}
