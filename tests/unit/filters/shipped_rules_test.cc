// The rules that come with Postern load without a mistake and pass their own tests.
#include <set>

#include "filters/lua/test_case.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

std::string all_problems(const LoadReport& report) {
  std::string out;
  for (const auto& mistake : report.mistakes) out += mistake.text() + "\n";
  for (const auto& failed : report.failed_tests) out += failed.mistake.at + ": test \"" + failed.test + "\": " + failed.mistake.what + "\n";
  return out;
}

LoadOptions options_for(const fs::path& rules) {
  LoadOptions options;
  options.rules = rules;
  options.scripts = source_folder() / "scripts";
  return options;
}

}  // namespace

TEST_CASE("the shipped rules load and pass their tests") {
  auto report = load_rules(options_for(source_folder() / "rules"));
  CHECK(all_problems(report) == "");
  CHECK(report.rules >= 15);
  CHECK(report.tests >= 50);
  REQUIRE(report.good());
  for (std::size_t stage = 0; stage < 6; ++stage) {
    INFO("stage " << stage);
    CHECK_FALSE(report.edition->order[stage].empty());
  }
}

TEST_CASE("every sample can be copied into the shipped rules") {
  fs::path folder = fs::temp_directory_path() / ("postern-samples-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::copy(source_folder() / "rules", folder, fs::copy_options::recursive);
  for (const auto& sample : fs::directory_iterator(folder / "samples")) fs::copy(sample.path(), folder / sample.path().filename());
  auto report = load_rules(options_for(folder));
  CHECK(all_problems(report) == "");
  CHECK(report.good());
  fs::remove_all(folder);
}

TEST_CASE("every shipped rule says what it is for and has a test in which it speaks") {
  auto report = load_rules(options_for(source_folder() / "rules"));
  REQUIRE(report.good());
  std::vector<lua::Mistake> mistakes;
  auto state = lua::State::load(report.edition->generation, mistakes);
  std::set<std::string> wanted;
  for (const auto& info : state->tests()) {
    std::string problem;
    auto test = lua::read_test(*state, info, problem);
    REQUIRE(test);
    if (test->want.rule) wanted.insert(*test->want.rule);
  }
  for (const auto& rule : report.edition->rules) {
    INFO(rule.name);
    CHECK_FALSE(rule.about.empty());
    CHECK(wanted.contains(rule.name));
  }
}
