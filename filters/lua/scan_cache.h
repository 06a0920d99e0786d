#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "filters/regex_set.h"

struct lua_State;

namespace postern::filters::lua {

class State;

// Which patterns may match in the texts that the rules of one message ask about: whatever text is asked about a third
// time is passed over once for all patterns.  Used on the loop's thread.
//
// A text of Lua is known by its address, so a reference keeps it from being collected; of a long one, which every
// rule gets a copy of, a copy is kept here to compare with.  Bounded by kEntries, kMaxAnchored and kMaxCopied.
class ScanCache {
 public:
  static constexpr std::size_t kEntries = 32;
  static constexpr std::size_t kLong = 32 * 1024;          // octets from which on a text is copied
  static constexpr std::size_t kMaxAnchored = 256 * 1024;  // octets of all that are referred to
  static constexpr std::size_t kMaxCopied = 1536 * 1024;

  // False: `regex` matches nowhere in the text at `index` of the stack.  May make a pass, which counts as no rule's time.
  bool may_match(lua_State* lua, int index, const Regex& regex, State& state);
  // Gives its references back to the state that they were made in.
  void clear(State& state);

 private:
  struct Entry {
    const char* data = nullptr;
    std::size_t size = 0;
    unsigned asked = 0;
    int reference = 0;                        // 0: none
    std::unique_ptr<std::string> copy;
    const PatternSet* set = nullptr;          // of the state's generation; none: no pass yet
    PatternSet::Found found;
  };
  Entry* find(std::string_view text);
  Entry& place(State& state);
  bool fits(const Entry& entry) const;
  void drop(Entry& entry, State& state);

  std::array<Entry, kEntries> entries_;
  std::size_t next_ = 0;
  std::size_t anchored_ = 0;
  std::size_t copied_ = 0;
};

}  // namespace postern::filters::lua
