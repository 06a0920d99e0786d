// Loading, checking and testing a rules folder, and putting it in force.
#include "filters/rule_set.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "filters/lua/check.h"
#include "filters/lua/rule_test.h"
#include "filters/lua/state.h"
#include "gateway/base/log.h"

namespace postern::filters {
namespace {

namespace fs = std::filesystem;

void sort_by_place(std::vector<lua::Mistake>& mistakes) {
  // "rules/x.lua:9" before "rules/x.lua:10"
  auto key = [](const lua::Mistake& mistake) {
    auto colon = mistake.at.rfind(':');
    int line = colon == std::string::npos ? 0 : std::atoi(mistake.at.c_str() + colon + 1);
    return std::tuple(mistake.at.substr(0, colon), line);
  };
  std::sort(mistakes.begin(), mistakes.end(), [&key](const auto& a, const auto& b) { return std::tuple(key(a), a.what) < std::tuple(key(b), b.what); });
  auto same = [](const auto& a, const auto& b) { return a.at == b.at && a.what == b.what; };
  mistakes.erase(std::unique(mistakes.begin(), mistakes.end(), same), mistakes.end());
}

// One for each processor, as there are loops.  One that does not load is left out: its loop tries itself.
std::vector<std::shared_ptr<lua::State>> states_for_loops(const Edition& edition) {
  std::vector<std::shared_ptr<lua::State>> states;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    std::vector<lua::Mistake> mistakes;
    auto state = lua::State::load(edition.generation, mistakes);
    if (mistakes.empty() && state->rules().size() == edition.rules.size()) states.push_back(std::move(state));
  }
  return states;
}

}  // namespace

std::string LoadReport::summary() const {
  std::size_t count = mistakes.size() + failed_tests.size();
  if (count == 0) return "";
  std::string first = !mistakes.empty() ? mistakes.front().text()
                                        : failed_tests.front().mistake.at + ": test \"" + failed_tests.front().test + "\": " + failed_tests.front().mistake.what;
  return count == 1 ? first : first + " (and " + std::to_string(count - 1) + " more)";
}

LoadReport load_rules(std::shared_ptr<lua::Generation> generation, bool run_tests) {
  LoadReport report;
  report.hash = generation->hash();
  auto state = lua::State::load(generation, report.mistakes);
  report.rules = state->rules().size();
  report.tests = state->tests().size();
  lua::check(*state, report.mistakes);
  sort_by_place(report.mistakes);
  if (!report.mistakes.empty()) return report;
  auto edition = std::make_shared<const Edition>(generation, state->rules());
  if (run_tests) {
    for (auto& failure : lua::run_tests(state)) report.failed_tests.push_back({std::move(failure.mistake), std::move(failure.test)});
  }
  if (report.failed_tests.empty()) report.edition = std::move(edition);
  return report;
}

LoadReport load_rules(const LoadOptions& options) {
  auto lists = std::make_shared<ListFolder>(options.rules);
  auto generation = lua::Generation::read(options.rules, options.scripts, options.budgets, lists);
  if (!generation) {
    LoadReport report;
    report.mistakes.push_back({"", generation.error().text});
    return report;
  }
  return load_rules(*generation, options.run_tests);
}

fs::path scripts_folder() {
  if (const char* given = std::getenv("POSTERN_SCRIPTS")) return given;
  std::error_code trouble;
  fs::path program = fs::read_symlink("/proc/self/exe", trouble);
  if (!trouble) {
    fs::path installed = program.parent_path().parent_path() / "share" / "postern" / "scripts";
    if (fs::exists(installed / "prelude.lua", trouble)) return installed;
    // Started from a build folder inside the sources.
    fs::path folder = program.parent_path();
    for (int up = 0; up < 4 && !folder.empty(); ++up, folder = folder.parent_path()) {
      if (fs::exists(folder / "scripts" / "prelude.lua", trouble)) return folder / "scripts";
    }
  }
  return "/usr/share/postern/scripts";
}

fs::path shipped_rules_folder() { return scripts_folder().parent_path() / "rules"; }

LoadReport RuleSet::reload() {
  std::string seen = fingerprint();
  LoadReport report = load_rules(options_);
  std::vector<std::shared_ptr<lua::State>> states;
  if (report.good()) states = states_for_loops(*report.edition);
  std::unique_lock lock(mutex_);
  seen_ = std::move(seen);
  if (report.good()) {
    current_ = report.edition;
    states_ = std::move(states);
    state_.hash = report.hash;
    state_.rules = report.rules;
    state_.problem.clear();
    ++state_.reloads;
  } else {
    state_.problem = report.summary();
    ++state_.failed_reloads;
  }
  lock.unlock();
  // Behind the moment from which on the rules are in force: until it is done they ask pattern by pattern.
  if (report.good()) report.edition->generation->compile_patterns();
  return report;
}

std::shared_ptr<const Edition> RuleSet::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<lua::State> RuleSet::take_state(const Edition& edition) const {
  std::lock_guard lock(mutex_);
  if (&edition != current_.get() || states_.empty()) return nullptr;
  auto state = std::move(states_.back());
  states_.pop_back();
  return state;
}

RuleSet::State RuleSet::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

std::string RuleSet::fingerprint() const {
  std::string out;
  std::error_code trouble;
  for (const fs::path& folder : {options_.rules, options_.scripts}) {
    std::vector<std::string> lines;
    for (fs::recursive_directory_iterator entry(folder, trouble); !trouble && entry != fs::recursive_directory_iterator(); entry.increment(trouble)) {
      if (entry.depth() > 4) entry.disable_recursion_pending();
      if (entry->path().extension() != ".lua") continue;
      auto stamp = entry->last_write_time(trouble).time_since_epoch().count();
      lines.push_back(entry->path().string() + " " + std::to_string(stamp) + " " + std::to_string(entry->file_size(trouble)) + "\n");
      if (lines.size() > 2'000) break;
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) out += line;
  }
  return out;
}

bool RuleSet::changed() {
  std::string now = fingerprint();
  auto edition = current();
  if (edition) {
    for (const auto& change : edition->generation->lists()->refresh()) {
      if (change.problem.empty()) {
        log::info("rules.list", {{"list", change.name}, {"what", "read again"}});
      } else {
        log::error("rules.list", {{"list", change.name}, {"what", change.problem + "; the old entries stay"}});
      }
    }
  }
  std::lock_guard lock(mutex_);
  return now != seen_;
}

}  // namespace postern::filters
