#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

// Lua's string patterns (reference manual 6.4.1), counted: Lua's own matcher runs in C, where no
// instruction hook fires, and "a-a-a-a-...b" on a long text would stand still for hours.
namespace postern::filters::lua {

// A malformed pattern, or the budget is spent.
class PatternError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Pattern {
 public:
  static constexpr std::size_t kMaxCaptures = 32;
  static constexpr int kMaxDepth = 200;
  // Called with the steps done since the last call; false ends the match with a PatternError.
  using Spend = bool (*)(void* context, std::size_t steps);

  // Subject and pattern must outlive the object.  An anchor ("^") must already be cut off.
  Pattern(std::string_view subject, std::string_view pattern, Spend spend, void* context)
      : subject_(subject), pattern_(pattern), spend_(spend), context_(context) {}

  struct Capture {
    std::size_t begin = 0;
    std::size_t length = 0;
    bool position = false;   // "()": only `begin` counts
  };
  // The end of a match that begins exactly at `at`, or nothing.  Throws PatternError.
  std::optional<std::size_t> match_at(std::size_t at);
  // The first match at or behind `from`: its begin and end.
  std::optional<std::pair<std::size_t, std::size_t>> find(std::size_t from, bool anchored);

  // Of the last match.
  std::size_t captures() const { return count_; }
  Capture capture(std::size_t index) const;

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  enum class Kind : unsigned char { open, closed, position };
  struct Slot {
    std::size_t begin = 0;
    std::size_t length = 0;
    Kind kind = Kind::open;
  };
  std::size_t run(std::size_t s, std::size_t p, int depth);
  std::size_t longest(std::size_t s, std::size_t p, std::size_t next, int depth);
  std::size_t shortest(std::size_t s, std::size_t p, std::size_t next, int depth);
  std::size_t balanced(std::size_t s, std::size_t p);
  bool frontier(std::size_t s, std::size_t set, std::size_t set_end);
  std::size_t item_end(std::size_t p) const;
  bool item_matches(std::size_t s, std::size_t p, std::size_t end);
  bool set_contains(char c, std::size_t p, std::size_t end) const;
  void step() {
    if (++steps_ >= 256) pay();
  }
  void pay();

  std::string_view subject_;
  std::string_view pattern_;
  Spend spend_;
  void* context_;
  std::size_t steps_ = 0;
  std::array<Slot, kMaxCaptures> slots_;
  std::size_t count_ = 0;
};

}  // namespace postern::filters::lua
