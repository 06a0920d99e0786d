#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "filters/edition.h"
#include "filters/lists.h"
#include "filters/lua/budgets.h"
#include "filters/lua/generation.h"

namespace postern::filters {

// What came of loading a rules folder.
struct LoadReport {
  std::vector<lua::Mistake> mistakes;     // files that do not load, unknown names, shared state
  struct Failed {
    lua::Mistake mistake;                 // at: of the test
    std::string test;
  };
  std::vector<Failed> failed_tests;
  std::size_t tests = 0;
  std::size_t rules = 0;
  std::string hash;
  std::shared_ptr<const Edition> edition; // only if all is well
  bool good() const { return edition != nullptr; }
  // One sentence for a log line: the first mistake and how many more there are.
  std::string summary() const;
};

// Loads, checks and tests a rules folder.  Blocks for some tens of milliseconds; not on a loop.
struct LoadOptions {
  std::filesystem::path rules;
  std::filesystem::path scripts;
  lua::Budgets budgets;
  bool run_tests = true;
};
LoadReport load_rules(const LoadOptions& options);
// The same for files that are in memory already.
LoadReport load_rules(std::shared_ptr<lua::Generation> generation, bool run_tests = true);

// Where Postern's own scripts lie: $POSTERN_SCRIPTS, beside the installed program, or in the sources.
std::filesystem::path scripts_folder();
// Beside it lie the rules as this version ships them; an update lays them down there alone.
std::filesystem::path shipped_rules_folder();

// The rule set in force.  A reload puts a new edition in its place when it loads, checks and passes
// its tests; else the old one stays and the reason is shown.  Safe from any thread.
class RuleSet {
 public:
  explicit RuleSet(LoadOptions options) : options_(std::move(options)) {}

  // Blocks; to be called on the worker pool, or at start.
  LoadReport reload();
  // nullptr until the first good load.
  std::shared_ptr<const Edition> current() const;
  // A state of the edition in force that nobody uses, or nullptr: reload() makes one for each loop, so
  // that the loops need not compile the files themselves.
  std::shared_ptr<lua::State> take_state(const Edition& edition) const;

  // Looks whether a file below the rules folder changed since the last reload (names, sizes, times);
  // lists that changed are read again on the way.  Cheap enough for once a second.
  bool changed();

  struct State {
    std::string hash;
    std::size_t rules = 0;
    std::string problem;          // of the last reload, when it failed
    std::uint64_t reloads = 0;
    std::uint64_t failed_reloads = 0;
  };
  State state() const;

 private:
  std::string fingerprint() const;

  LoadOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Edition> current_;
  mutable std::vector<std::shared_ptr<lua::State>> states_;   // of current_
  std::string seen_;
  State state_;
};

}  // namespace postern::filters
