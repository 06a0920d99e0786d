#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filters/regex.h"

namespace postern::filters {

// All patterns of a rule set compiled into automata (Hyperscan): a pass over a text tells which of them
// may match in it, so that PCRE2 is asked about those few alone.  It only ever rules out: what may match is
// searched by Regex, whose answer counts.
//
// Immutable; safe from any thread.  Patterns that the automaton cannot take are approximated by one that matches
// more, or stay alone: then they may always match.  The same holds for all of them where the processor lacks what
// the library needs.
class PatternSet {
 public:
  struct Limits {
    std::size_t patterns = 10'000;                    // of later ones each stays alone
    std::size_t database = 64 << 20;                  // octets of the compiled set
    std::size_t scratch = 4 << 20;                    // octets for each thread that scans at that moment
    std::chrono::milliseconds compile{20'000};        // of the compiling thread's CPU; 128 patterns may overrun it
    std::size_t text = 4 << 20;                       // octets; longer texts are not passed over
  };
  enum class Engine { if_fit, never };                // never: as on a processor that lacks what is needed

  // Blocks for about a millisecond a pattern: never on a loop.  The order gives the numbers; doubles are allowed.
  static std::shared_ptr<const PatternSet> compile(std::vector<std::shared_ptr<const Regex>> patterns, const Limits& limits, Engine engine);
  static std::shared_ptr<const PatternSet> compile(std::vector<std::shared_ptr<const Regex>> patterns) {
    return compile(std::move(patterns), Limits(), Engine::if_fit);
  }
  ~PatternSet();
  PatternSet(const PatternSet&) = delete;

  // Which patterns may match in one text.
  class Found {
   public:
    // False: the pattern matches nowhere in the text, from whatever offset it is searched.
    bool may_match(std::size_t number) const { return bits_.empty() || (bits_[number / 64] >> (number % 64) & 1) != 0; }

   private:
    friend class PatternSet;
    std::vector<std::uint64_t> bits_;   // none: no pass was made, everything may
  };
  // Any octets; time grows with their number alone.
  Found scan(std::string_view text) const;

  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  // The number of a pattern, npos for one that is not in the set.
  std::size_t number(const Regex& regex) const;

  // How a pattern takes part, and why not as it is.
  enum class Part { whole, approximated, alone };
  struct Member {
    std::shared_ptr<const Regex> regex;
    Part part = Part::whole;
    std::string why;          // a clause: "\K is not supported"
  };
  const std::vector<Member>& members() const { return members_; }

  struct Figures {
    std::size_t whole = 0;
    std::size_t approximated = 0;
    std::size_t alone = 0;
    std::size_t database = 0;                    // octets
    std::size_t scratch = 0;                     // octets for each thread that scans at that moment
    std::chrono::microseconds compile{0};        // CPU
  };
  const Figures& figures() const { return figures_; }
  // Why there is no automaton at all although there are patterns, a sentence; "": there is one.
  const std::string& problem() const { return problem_; }

 private:
  class Automaton;
  class Compiler;
  PatternSet() = default;
  void stay_alone(std::size_t number, std::string why);

  std::vector<Member> members_;
  std::unordered_map<const Regex*, std::size_t> numbers_;
  // Of patterns on characters, and of those on octets (flag b).
  std::vector<std::unique_ptr<Automaton>> characters_;
  std::vector<std::unique_ptr<Automaton>> octets_;
  std::vector<std::size_t> cyrillic_;   // numbers of patterns with such letters
  Limits limits_;
  Figures figures_;
  std::string problem_;
};

}  // namespace postern::filters
