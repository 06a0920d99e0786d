#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace postern::filters {

// Where a pattern matched; [0] is the whole match, then the groups.  A group that took no part is npos.
struct RegexMatch {
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  struct Range {
    std::size_t begin = npos;
    std::size_t end = npos;
  };
  std::vector<Range> groups;
};

// A compiled Perl-compatible pattern (PCRE2 with its JIT).  Immutable; safe from any thread.
// A search is bounded in time (10 ms) and depth: a pattern that backtracks without end, at one place or
// a little at each, is an error of the rule that uses it, not a standstill.
class Regex {
 public:
  // Flags: i (letter case), m (^ and $ at lines), s (. takes newlines), x (extended), b (octets: "." is one of them,
  // \xc3 too, and only ASCII has letter case).  Without b text is taken as UTF-8; octets that are none match nothing.
  // \G, (*COMMIT) and (*SKIP) are refused.
  static Result<std::shared_ptr<const Regex>> compile(std::string_view pattern, std::string_view flags);
  ~Regex();
  Regex(const Regex&) = delete;

  enum class Outcome { match, no_match, limit };
  // `out` may be null.  `from` is an offset in octets.
  Outcome search(std::string_view text, std::size_t from, RegexMatch* out) const;

  const std::string& pattern() const { return pattern_; }
  const std::string& flags() const { return flags_; }

 private:
  Regex() = default;
  struct Code;
  std::unique_ptr<Code> code_;
  std::string pattern_;
  std::string flags_;
};

// All patterns of one rule set.  Equal patterns are compiled once; PatternSet is what is put
// in front of them.
class RegexSet {
 public:
  Result<std::shared_ptr<const Regex>> add(std::string_view pattern, std::string_view flags);
  std::size_t size() const { return patterns_.size(); }
  const std::vector<std::shared_ptr<const Regex>>& patterns() const { return patterns_; }

 private:
  std::vector<std::shared_ptr<const Regex>> patterns_;
};

}  // namespace postern::filters
