// One pass over a text for all patterns, made when it begins to pay.
#include "filters/lua/scan_cache.h"

#include <cstring>

#include "filters/lua/bind.h"

namespace postern::filters::lua {
namespace {

// The first patterns are quicker asked one by one than a pass is made: many texts are asked about once.
constexpr unsigned kAskedBefore = 2;
constexpr std::size_t kFewPatterns = 3;

}  // namespace

ScanCache::Entry* ScanCache::find(std::string_view text) {
  for (Entry& entry : entries_) {
    if (entry.size != text.size() || entry.data == nullptr) continue;
    // Before the pass it is but a guess that it is the same text, which costs nothing when it is wrong.
    bool same = entry.copy != nullptr                         ? std::memcmp(entry.copy->data(), text.data(), text.size()) == 0
                : entry.set == nullptr && text.size() > kLong ? true
                                                              : entry.data == text.data();
    if (same) return &entry;
  }
  return nullptr;
}

// One that holds no pass, else the oldest.
ScanCache::Entry& ScanCache::place(State& state) {
  for (std::size_t i = 0; i < kEntries; ++i) {
    std::size_t at = (next_ + i) % kEntries;
    if (entries_[at].set != nullptr) continue;
    next_ = (at + 1) % kEntries;
    drop(entries_[at], state);
    return entries_[at];
  }
  Entry& oldest = entries_[next_];
  next_ = (next_ + 1) % kEntries;
  drop(oldest, state);
  return oldest;
}

bool ScanCache::fits(const Entry& entry) const {
  return entry.size > kLong ? copied_ + entry.size <= kMaxCopied : anchored_ + entry.size <= kMaxAnchored;
}

void ScanCache::drop(Entry& entry, State& state) {
  if (entry.reference != 0) {
    state.drop_reference(entry.reference);
    anchored_ -= entry.size;
  }
  if (entry.copy != nullptr) copied_ -= entry.size;
  entry = Entry();
}

void ScanCache::clear(State& state) {
  for (Entry& entry : entries_) drop(entry, state);
}

bool ScanCache::may_match(lua_State* lua, int index, const Regex& regex, State& state) {
  const PatternSet* set = state.generation().pattern_set();
  if (set == nullptr || set->members().size() <= kFewPatterns) return true;
  std::size_t number = set->number(regex);
  if (number == PatternSet::npos || set->members()[number].part == PatternSet::Part::alone) return true;
  std::string_view text = view(lua, index);
  Entry* entry = find(text);
  if (entry == nullptr) {
    entry = &place(state);
    entry->data = text.data();
    entry->size = text.size();
  }
  if (entry->set == nullptr) {
    if (entry->asked++ < kAskedBefore || !fits(*entry)) return true;
    if (entry->size > kLong) {
      entry->copy = std::make_unique<std::string>(text);
      copied_ += entry->size;
    } else {
      lua_pushvalue(lua, index);
      entry->reference = luaL_ref(lua, LUA_REGISTRYINDEX);   // may raise: then there is no entry to undo
      anchored_ += entry->size;
    }
    State::Uncharged pause(state);
    entry->found = set->scan(text);
    entry->set = set;
  }
  return entry->found.may_match(number);
}

}  // namespace postern::filters::lua
