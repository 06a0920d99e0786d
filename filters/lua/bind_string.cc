// The string library: what runs long inside C is our own and counted; dump, pack and unpack are gone.
#include <cstring>

#include "filters/lua/bind.h"
#include "filters/lua/patterns.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {


bool spend_steps(void* context, std::size_t steps) {
  Running& run = *static_cast<Running*>(context);
  run.steps += steps;
  if (run.steps < 4096) return true;
  run.steps = 0;
  return !run.state->over_budget(run);
}

// Calls `work` and turns a PatternError into a Lua error outside of the catch block.
template <class Work>
auto guarded(lua_State* lua, Work work) {
  std::string what;
  try {
    return work();
  } catch (const PatternError& error) {  // raised below as a Lua error
    what = error.what();
  }
  Running& run = State::running(lua);
  if (run.stopped) what = run.stop_reason;
  raise(lua, what);
}

struct Anchored {
  std::string_view pattern;
  bool anchored = false;
};
Anchored anchor(std::string_view pattern) {
  if (!pattern.empty() && pattern[0] == '^') return {pattern.substr(1), true};
  return {pattern, false};
}

// Lua's way to name a start: 1 is the first octet, -1 the last.  Behind the end: size + 1.
std::size_t start_of(lua_State* lua, int index, std::size_t size) {
  lua_Integer from = luaL_optinteger(lua, index, 1);
  if (from > 0) return static_cast<std::size_t>(std::min<lua_Integer>(from - 1, static_cast<lua_Integer>(size) + 1));
  if (from == 0 || from < -static_cast<lua_Integer>(size)) return 0;
  return size - static_cast<std::size_t>(-from);
}

void push_capture(lua_State* lua, std::string_view subject, const Pattern::Capture& capture) {
  if (capture.position) {
    lua_pushinteger(lua, static_cast<lua_Integer>(capture.begin) + 1);
  } else {
    push(lua, subject.substr(capture.begin, capture.length));
  }
}

// All captures; the whole match when there are none and `whole` asks for it.
int push_captures(lua_State* lua, std::string_view subject, const Pattern& pattern, std::pair<std::size_t, std::size_t> match, bool whole) {
  if (pattern.captures() == 0 && whole) {
    push(lua, subject.substr(match.first, match.second - match.first));
    return 1;
  }
  luaL_checkstack(lua, static_cast<int>(pattern.captures()), "too many captures");
  for (std::size_t i = 0; i < pattern.captures(); ++i) push_capture(lua, subject, pattern.capture(i));
  return static_cast<int>(pattern.captures());
}

bool has_specials(std::string_view pattern) { return pattern.find_first_of("^$*+?.([%-") != std::string_view::npos; }

int search(lua_State* lua, bool want_place) {
  std::string_view subject = view(lua, 1);
  std::string_view given = view(lua, 2);
  std::size_t from = start_of(lua, 3, subject.size());
  if (from > subject.size()) {
    lua_pushnil(lua);
    return 1;
  }
  if (want_place && (lua_toboolean(lua, 4) != 0 || !has_specials(given))) {
    State::spend(lua, (subject.size() - from) / 64);
    // memmem is linear whatever the needle is.
    const void* found = memmem(subject.data() + from, subject.size() - from, given.data(), given.size());
    if (found == nullptr) {
      lua_pushnil(lua);
      return 1;
    }
    auto begin = static_cast<lua_Integer>(static_cast<const char*>(found) - subject.data());
    lua_pushinteger(lua, begin + 1);
    lua_pushinteger(lua, begin + static_cast<lua_Integer>(given.size()));
    return 2;
  }
  auto [text, anchored] = anchor(given);
  Pattern pattern(subject, text, spend_steps, &State::running(lua));
  auto match = guarded(lua, [&, fixed = anchored] { return pattern.find(from, fixed); });
  if (!match) {
    lua_pushnil(lua);
    return 1;
  }
  if (!want_place) return push_captures(lua, subject, pattern, *match, true);
  lua_pushinteger(lua, static_cast<lua_Integer>(match->first) + 1);
  lua_pushinteger(lua, static_cast<lua_Integer>(match->second));
  return 2 + push_captures(lua, subject, pattern, *match, false);
}

int find(lua_State* lua) { return search(lua, true); }
int match(lua_State* lua) { return search(lua, false); }

// gmatch's iterator.  Upvalues: subject, pattern, and where to go on.
struct Progress {
  std::size_t next = 0;
  std::size_t last_end = static_cast<std::size_t>(-1);
};
int gmatch_next(lua_State* lua) {
  std::string_view subject = view(lua, lua_upvalueindex(1));
  auto* progress = static_cast<Progress*>(lua_touserdata(lua, lua_upvalueindex(3)));
  Pattern pattern(subject, view(lua, lua_upvalueindex(2)), spend_steps, &State::running(lua));
  while (progress->next <= subject.size()) {
    auto match = guarded(lua, [&] { return pattern.find(progress->next, false); });
    if (!match) break;
    // An empty match directly behind the last one is that one again.
    if (match->second == progress->last_end) {
      progress->next = match->first + 1;
      continue;
    }
    progress->next = progress->last_end = match->second;
    return push_captures(lua, subject, pattern, *match, true);
  }
  progress->next = subject.size() + 1;
  return 0;
}

int gmatch(lua_State* lua) {
  std::size_t size = view(lua, 1).size();
  view(lua, 2);
  std::size_t from = start_of(lua, 3, size);
  lua_settop(lua, 2);
  auto* progress = static_cast<Progress*>(lua_newuserdatauv(lua, sizeof(Progress), 0));
  *progress = Progress{from, static_cast<std::size_t>(-1)};
  lua_pushcclosure(lua, gmatch_next, 3);
  return 1;
}

// next_match(subject, pattern, from) -> begin, end, captures (the whole match if the pattern has
// none): what the prelude's gsub is made of.  nil when there is none.
int next_match(lua_State* lua) {
  std::string_view subject = view(lua, 1);
  auto [text, anchored] = anchor(view(lua, 2));
  std::size_t from = start_of(lua, 3, subject.size());
  Pattern pattern(subject, text, spend_steps, &State::running(lua));
  auto match = guarded(lua, [&, fixed = anchored] { return pattern.find(from, fixed); });
  if (!match) return 0;
  lua_pushinteger(lua, static_cast<lua_Integer>(match->first) + 1);
  lua_pushinteger(lua, static_cast<lua_Integer>(match->second));
  return 2 + push_captures(lua, subject, pattern, *match, true);
}

// The result of gsub is not Lua's memory yet, so it is counted here.
void append(lua_State* lua, std::string& out, std::string_view piece) {
  if (out.size() + piece.size() > State::running(lua).memory_limit) raise(lua, "memory budget spent: the result of gsub is too long");
  State::spend(lua, 1 + piece.size() / 64);
  out += piece;
}

// The replacement text of gsub: %0 to %9 and %%.
void add_replacement(lua_State* lua, std::string& out, std::string_view subject, const Pattern& pattern,
                     std::pair<std::size_t, std::size_t> match, std::string_view replacement) {
  for (std::size_t at = 0; at < replacement.size();) {
    std::size_t percent = std::min(replacement.find('%', at), replacement.size());
    append(lua, out, replacement.substr(at, percent - at));
    at = percent + 2;
    if (percent == replacement.size()) break;
    char next = percent + 1 < replacement.size() ? replacement[percent + 1] : '\0';
    if (next == '%') {
      append(lua, out, "%");
    } else if (next == '0' || (next == '1' && pattern.captures() == 0)) {
      append(lua, out, subject.substr(match.first, match.second - match.first));
    } else if (is_digit(next) && static_cast<std::size_t>(next - '1') < pattern.captures()) {
      auto capture = pattern.capture(static_cast<std::size_t>(next - '1'));
      std::string place = capture.position ? std::to_string(capture.begin + 1) : "";
      append(lua, out, capture.position ? std::string_view(place) : subject.substr(capture.begin, capture.length));
    } else {
      raise(lua, "gsub: '%' in the replacement stands before a digit of a capture or another '%'");
    }
  }
}

// gsub with a text as replacement; a function or table is the prelude's business, because it may
// read a fact, and then the rule has to wait in the middle.
int gsub_text(lua_State* lua) {
  std::string_view subject = view(lua, 1);
  auto [text, anchored] = anchor(view(lua, 2));
  std::string_view replacement = view(lua, 3);
  lua_Integer most = luaL_optinteger(lua, 4, static_cast<lua_Integer>(subject.size()) + 1);
  Running& run = State::running(lua);
  Pattern pattern(subject, text, spend_steps, &run);
  std::string out;
  lua_Integer count = 0;
  std::size_t copied = 0;
  std::size_t last_end = static_cast<std::size_t>(-1);
  for (std::size_t from = 0; count < most && from <= subject.size();) {
    auto match = guarded(lua, [&, fixed = anchored] { return pattern.find(from, fixed); });
    if (!match) break;
    if (match->second == last_end) {
      from = match->first + 1;
      if (anchored) break;
      continue;
    }
    append(lua, out, subject.substr(copied, match->first - copied));
    add_replacement(lua, out, subject, pattern, *match, replacement);
    ++count;
    copied = from = last_end = match->second;
    if (anchored) break;
  }
  append(lua, out, subject.substr(copied));
  push(lua, out);
  lua_pushinteger(lua, count);
  return 2;
}

int rep(lua_State* lua) {
  std::string_view text = view(lua, 1);
  lua_Integer count = luaL_checkinteger(lua, 2);
  std::string_view between = lua_isnoneornil(lua, 3) ? std::string_view() : view(lua, 3);
  std::size_t piece = text.size() + between.size();
  if (count <= 0 || piece == 0) {
    lua_pushliteral(lua, "");
    return 1;
  }
  Running& run = State::running(lua);
  if (static_cast<std::size_t>(count) > run.memory_limit / piece) raise(lua, "memory budget spent: the result of rep is too long");
  std::size_t total = piece * static_cast<std::size_t>(count) - between.size();
  State::spend(lua, total / 64);
  luaL_Buffer buffer;
  char* to = luaL_buffinitsize(lua, &buffer, total);
  for (lua_Integer i = 0; i < count; ++i) {
    to = std::copy(text.begin(), text.end(), to);
    if (i + 1 < count) to = std::copy(between.begin(), between.end(), to);
  }
  luaL_pushresultsize(&buffer, total);
  return 1;
}

}  // namespace

void open_strings(lua_State* lua) {
  luaL_requiref(lua, "string", luaopen_string, 0);  // also makes the metatable of strings
  for (const char* gone : {"dump", "pack", "packsize", "unpack"}) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, gone);
  }
  const std::pair<const char*, lua_CFunction> functions[] = {
      {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub_text}, {"rep", rep}};
  for (auto [name, function] : functions) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
  lua_setfield(lua, -2, "string");
  lua_pushcfunction(lua, next_match);
  lua_setfield(lua, -2, "__next_match");  // taken away by the prelude
}

}  // namespace postern::filters::lua
