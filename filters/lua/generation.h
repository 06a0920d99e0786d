#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "filters/lists.h"
#include "filters/lua/budgets.h"
#include "filters/regex.h"
#include "filters/regex_set.h"
#include "gateway/base/result.h"
#include "gateway/smtp/judge.h"

namespace postern::filters::lua {

// A mistake in a rule file, for the person who must mend it.
struct Mistake {
  std::string at;     // "rules/50-content.lua:11"
  std::string what;   // a sentence
  std::string text() const { return at.empty() ? what : at + ": " + what; }
};

// Whose mail a rule is for: that of others, or that of users of ours who logged in.
enum class Direction { in, out, both };

// One rule as its file says it.
struct RuleInfo {
  std::string name;
  smtp::Stage stage = smtp::Stage::message;
  std::string about;
  std::string file;       // "rules/10-connect.lua"
  int line = 0;           // of the word rule
  Direction direction = Direction::in;
  bool required = false;
  bool shadow = false;
  int function = 0;       // registry reference in the state that loaded it
  int check_line = 0;     // where the check function begins
  bool runs(bool outgoing) const { return direction == Direction::both || outgoing == (direction == Direction::out); }
  std::string at() const { return file + ":" + std::to_string(line); }
};

struct TestInfo {
  std::string name;
  std::string file;
  int line = 0;
  int table = 0;          // registry reference
  std::string at() const { return file + ":" + std::to_string(line); }
};

struct SourceFile {
  std::string name;       // "rules/10-connect.lua", "scripts/std/address.lua"
  std::string text;
};

// The text of a rule set as it was read: immutable, shared by the states made from it.  Lives until
// the last message that began under it is done.
class Generation {
 public:
  // Reads *.lua of `rules` and its subfolders (but not samples/) and of `scripts`.  An error is a
  // sentence with the file's name.
  static Result<std::shared_ptr<Generation>> read(const std::filesystem::path& rules, const std::filesystem::path& scripts,
                                                  Budgets budgets, std::shared_ptr<ListFolder> lists);
  // For tests: texts instead of folders.
  static std::shared_ptr<Generation> from(std::vector<SourceFile> files, Budgets budgets, std::shared_ptr<ListFolder> lists);

  // Rule files in reading order: directly in rules/, by name.
  std::vector<const SourceFile*> rule_files() const;
  // All files of the administrator, modules in subfolders too.
  std::vector<const SourceFile*> own_files() const;
  // The file behind require "std.x" or require "lib.x", or nullptr.
  const SourceFile* module(std::string_view name) const;
  const SourceFile* find(std::string_view name) const;
  const std::string& hash() const { return hash_; }
  const Budgets& budgets() const { return budgets_; }
  const std::shared_ptr<ListFolder>& lists() const { return lists_; }
  // Compiled once for all loops.
  Result<std::shared_ptr<const Regex>> regex(std::string_view pattern, std::string_view flags) const;
  // Compiles all patterns that the files named so far into one set: after the first state was loaded, and not on a
  // loop; once, a further call does nothing.  Rules that run before it is there ask each pattern by itself.
  void compile_patterns() const;
  // nullptr until then; lives as long as the generation.  Any thread.
  const PatternSet* pattern_set() const { return pattern_set_.load(std::memory_order_acquire); }

 private:
  Generation() = default;
  void seal();
  std::map<std::string, SourceFile, std::less<>> files_;
  std::string hash_;
  Budgets budgets_;
  std::shared_ptr<ListFolder> lists_;
  mutable std::mutex mutex_;
  mutable RegexSet regexes_;
  mutable std::shared_ptr<const PatternSet> made_set_;
  mutable std::atomic<const PatternSet*> pattern_set_ = nullptr;   // made_set_, for who asks at every pattern
};

}  // namespace postern::filters::lua
