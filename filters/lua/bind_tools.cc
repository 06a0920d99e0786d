// list, re, count, remember, recall, log, now.
#include <algorithm>
#include <new>

#include "filters/lua/bind.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr const char* kList = "postern.list";
constexpr const char* kRegex = "postern.re";
constexpr std::size_t kMaxEffects = 1'000;    // of one run

// A C++ value inside of a userdata, destroyed by the garbage collector.
template <class T>
T& new_object(lua_State* lua, const char* metatable, T value) {
  void* place = lua_newuserdatauv(lua, sizeof(T), 0);
  T* made = new (place) T(std::move(value));
  luaL_setmetatable(lua, metatable);
  return *made;
}
template <class T>
int destroy_object(lua_State* lua) {
  static_cast<T*>(lua_touserdata(lua, 1))->~T();
  return 0;
}

bool loading(lua_State* lua) { return State::running(lua).state->mistakes() != nullptr; }

// --- lists

struct ListUser {
  std::shared_ptr<ListFolder> folder;
  std::string name;
};

int make_list(lua_State* lua) {
  std::string name(view(lua, 1));
  if (!loading(lua)) raise(lua, "list \"" + printable(name, 60) + "\" belongs to the top of the file, outside of the check");
  auto folder = State::running(lua).state->generation().lists();
  auto list = folder->open(name);
  if (!list) raise(lua, list.error().text);
  new_object(lua, kList, ListUser{std::move(folder), std::move(name)});
  return 1;
}

int list_contains(lua_State* lua) {
  auto& user = *static_cast<ListUser*>(luaL_checkudata(lua, 1, kList));
  if (lua_isnoneornil(lua, 2)) {
    lua_pushboolean(lua, 0);
    return 1;
  }
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, std::string("a list is asked for a text, not for a ") + luaL_typename(lua, 2));
  auto list = user.folder->get(user.name);
  bool found = list && list->contains(view(lua, 2));
  Running& run = State::running(lua);
  if (run.scene != nullptr) {
    run.scene->record.note(Record::Section::list, user.name + " " + std::string(view(lua, 2).substr(0, 256)), found ? "true" : "false");
  }
  lua_pushboolean(lua, found ? 1 : 0);
  return 1;
}

// list[value] and list:has(value) are the same question.
int list_index(lua_State* lua) {
  if (lua_type(lua, 2) == LUA_TSTRING && (view(lua, 2) == "has" || view(lua, 2) == "contains")) {
    lua_pushcfunction(lua, list_contains);
    return 1;
  }
  return list_contains(lua);
}

int list_write(lua_State* lua) { raise(lua, "a list cannot be changed; its entries are in its file"); }

int list_size(lua_State* lua) {
  auto& user = *static_cast<ListUser*>(luaL_checkudata(lua, 1, kList));
  auto list = user.folder->get(user.name);
  lua_pushinteger(lua, list ? static_cast<lua_Integer>(list->size()) : 0);
  return 1;
}

// --- patterns

using RegexPointer = std::shared_ptr<const Regex>;

int make_regex(lua_State* lua) {
  std::string_view pattern = view(lua, 1);
  std::string_view flags = lua_isnoneornil(lua, 2) ? std::string_view() : view(lua, 2);
  if (!loading(lua)) raise(lua, "re(...) belongs to the top of the file, outside of the check: compiling costs more than matching");
  auto regex = State::running(lua).state->generation().regex(pattern, flags);
  if (!regex) raise(lua, regex.error().text);
  new_object<RegexPointer>(lua, kRegex, *regex);
  return 1;
}

// Searches argument 2 from argument 3 on; false: no match.
bool search(lua_State* lua, RegexMatch& match) {
  const auto& regex = *static_cast<RegexPointer*>(luaL_checkudata(lua, 1, kRegex));
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, std::string("a pattern searches a text, not a ") + luaL_typename(lua, 2));
  std::string_view text = view(lua, 2);
  lua_Integer from = luaL_optinteger(lua, 3, 1);
  std::size_t start = from > 0 ? static_cast<std::size_t>(from - 1) : 0;
  Running& run = State::running(lua);
  if (run.scene != nullptr && !run.scene->scans().may_match(lua, 2, *regex, *run.state)) {
    State::spend(lua, 1);
    return false;
  }
  auto outcome = regex->search(text, start, &match);
  State::spend(lua, text.size() > 1024 ? 4096 : 64);  // look at the clock after long ones
  if (outcome == Regex::Outcome::limit) {
    raise(lua, "the pattern \"" + printable(regex->pattern(), 60) + "\" takes too long on this text: it backtracks without end");
  }
  return outcome == Regex::Outcome::match;
}

void push_group(lua_State* lua, const RegexMatch& match, std::size_t group) {
  auto range = match.groups[group];
  if (range.begin == RegexMatch::npos) {
    lua_pushboolean(lua, 0);
  } else {
    push(lua, view(lua, 2).substr(range.begin, range.end - range.begin));
  }
}

int push_groups(lua_State* lua, const RegexMatch& match) {
  for (std::size_t i = 1; i < match.groups.size(); ++i) push_group(lua, match, i);
  return static_cast<int>(match.groups.size()) - 1;
}

// The groups, or the whole match when the pattern has none; nil without a match.
int regex_match(lua_State* lua) {
  RegexMatch match;
  if (!search(lua, match)) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_checkstack(lua, 40, "too many groups");
  if (match.groups.size() > 1) return push_groups(lua, match);
  push_group(lua, match, 0);
  return 1;
}

int regex_find(lua_State* lua) {
  RegexMatch match;
  if (!search(lua, match)) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_checkstack(lua, 40, "too many groups");
  lua_pushinteger(lua, static_cast<lua_Integer>(match.groups[0].begin) + 1);
  lua_pushinteger(lua, static_cast<lua_Integer>(match.groups[0].end));
  return 2 + push_groups(lua, match);
}

int regex_test(lua_State* lua) {
  RegexMatch match;
  lua_pushboolean(lua, search(lua, match) ? 1 : 0);
  return 1;
}

// How often it matches from `from` to `end` of the text, places that follow each other; not more than `most`.
lua_Integer matches(lua_State* lua, const Regex& regex, std::string_view text, lua_Integer most) {
  lua_Integer count = 0;
  RegexMatch match;
  for (std::size_t from = 0; count < most && from <= text.size();) {
    auto outcome = regex.search(text, from, &match);
    State::spend(lua, text.size() > 1024 ? 4096 : 64);
    if (outcome == Regex::Outcome::limit) {
      raise(lua, "the pattern \"" + printable(regex.pattern(), 60) + "\" takes too long on this text: it backtracks without end");
    }
    if (outcome == Regex::Outcome::no_match) break;
    ++count;
    from = std::max(match.groups[0].end, match.groups[0].begin + (match.groups[0].end == match.groups[0].begin ? 1 : 0));
  }
  return count;
}

// pattern:count(text, most) and pattern:count_lines(text, most): how often it matches; with lines each line, with its
// line end, is a text of its own.
template <bool by_line>
int regex_count(lua_State* lua) {
  const auto& regex = **static_cast<RegexPointer*>(luaL_checkudata(lua, 1, kRegex));
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, std::string("a pattern searches a text, not a ") + luaL_typename(lua, 2));
  std::string_view text = view(lua, 2);
  lua_Integer most = std::clamp<lua_Integer>(luaL_optinteger(lua, 3, 1000), 0, 1000);
  Running& run = State::running(lua);
  // What speaks of the text's begin or end means the line's; a set of patterns with m has all the lines' begins and ends.
  bool lines_alike = regex.flags().find('m') != std::string::npos && regex.pattern().find("\\A") == std::string::npos &&
                     regex.pattern().find("\\z") == std::string::npos && regex.pattern().find("\\Z") == std::string::npos;
  bool may = run.scene == nullptr || (by_line && !lines_alike) || run.scene->scans().may_match(lua, 2, regex, *run.state);
  lua_Integer count = 0;
  if (!may) {
    State::spend(lua, 1);
  } else if (!by_line) {
    count = matches(lua, regex, text, most);
  } else {
    while (!text.empty() && count < most) {
      std::size_t end = std::min(text.size(), text.find('\n')) ;
      std::string_view line = text.substr(0, end + 1);
      count += matches(lua, regex, line, most - count);
      text.remove_prefix(line.size());
    }
  }
  lua_pushinteger(lua, count);
  return 1;
}

int regex_text(lua_State* lua) {
  push(lua, (*static_cast<RegexPointer*>(luaL_checkudata(lua, 1, kRegex)))->pattern());
  return 1;
}

// --- memory

std::string check_key(lua_State* lua, const char* usage) {
  if (lua_type(lua, 1) != LUA_TSTRING && lua_type(lua, 1) != LUA_TNUMBER) raise(lua, std::string(usage) + ": the key is a text, not a " + luaL_typename(lua, 1));
  return std::string(view(lua, 1).substr(0, Counters::kMaxKey));  // as Counters would cut it
}

// Lua does not count this memory, and each question looks through all of it.
void add_effect(lua_State* lua, Running& run, Effect effect) {
  if (run.effects.size() >= kMaxEffects) raise(lua, "more than 1000 calls of count and remember in one run");
  run.effects.push_back(std::move(effect));
}

// Counts this event and gives the number in the window, this one included.
int count(lua_State* lua) {
  std::string key = check_key(lua, "count(key, \"10m\")");
  auto window = check_span(lua, 2);
  Running& run = check_run(lua, "count");
  std::uint64_t number = run.scene->outside().counters->count(key, window);
  run.scene->record.note(Record::Section::count, key + " " + std::to_string(window.count()) + "s", std::to_string(number));
  Effect effect;
  effect.is_count = true;
  effect.key = std::move(key);
  effect.span = window;
  add_effect(lua, run, std::move(effect));
  State::spend(lua, run.effects.size() / 4);
  for (const auto& made : run.effects) {
    if (made.is_count && made.key == run.effects.back().key && made.span == window) ++number;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(number));
  return 1;
}

// remember(key, "7d"), remember(key, "7d", "value"): recall(key) then gives true or the value.
int remember(lua_State* lua) {
  Effect effect;
  effect.key = check_key(lua, "remember(key, \"7d\")");
  effect.span = check_span(lua, 2);
  if (!lua_isnoneornil(lua, 3)) {
    if (lua_type(lua, 3) != LUA_TSTRING && lua_type(lua, 3) != LUA_TNUMBER) raise(lua, "remember(key, \"7d\", value): the value is a text or a number");
    effect.value = "=" + std::string(view(lua, 3));
    if (effect.value.size() > Counters::kMaxValue) raise(lua, "remember: the value is longer than 1000 octets");
  }
  Running& run = check_run(lua, "remember");
  add_effect(lua, run, std::move(effect));
  return 0;
}

int recall(lua_State* lua) {
  std::string key = check_key(lua, "recall(key)");
  Running& run = check_run(lua, "recall");
  std::optional<std::string> value = run.scene->outside().counters->recall(key);
  run.scene->record.note(Record::Section::recall, key, value ? json_text(*value) : "null");
  State::spend(lua, run.effects.size() / 4);
  for (const auto& made : run.effects) {
    if (!made.is_count && made.key == key) value = made.value;
  }
  if (!value) {
    lua_pushnil(lua);
  } else if (value->starts_with("=")) {
    push(lua, std::string_view(*value).substr(1));
  } else {
    lua_pushboolean(lua, 1);
  }
  return 1;
}

// --- log and clock

int write_log(lua_State* lua) {
  Running& run = State::running(lua);
  std::string text;
  for (int i = 1; i <= lua_gettop(lua); ++i) {
    std::size_t size = 0;
    const char* piece = luaL_tolstring(lua, i, &size);
    if (i > 1) text += ' ';
    text.append(piece, size);
    lua_pop(lua, 1);
    if (text.size() > 2'000) break;
  }
  int most = run.state->generation().budgets().log_lines;
  if (run.log_lines > most) return 0;
  if (++run.log_lines > most) text = "more than " + std::to_string(most) + " lines in one run; the rest is left out";
  log::info("rule", {{"rule", run.rule == nullptr ? "" : run.rule->name}, {"at", State::place(lua)},
                     {"message", run.scene == nullptr ? "" : run.scene->id}, {"text", printable(text, 1'000)}});
  return 0;
}

int now(lua_State* lua) {
  Running& run = check_run(lua, "now");
  lua_pushinteger(lua, to_unix(run.scene->now()));
  return 1;
}

void hide_metatable(lua_State* lua) {
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
}

}  // namespace

void open_tools(lua_State* lua) {
  luaL_newmetatable(lua, kList);
  const std::pair<const char*, lua_CFunction> list_methods[] = {
      {"__index", list_index}, {"__call", list_contains}, {"__newindex", list_write}, {"__len", list_size}, {"__gc", destroy_object<ListUser>}};
  for (auto [name, function] : list_methods) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  hide_metatable(lua);
  lua_pop(lua, 1);

  luaL_newmetatable(lua, kRegex);
  lua_newtable(lua);
  const std::pair<const char*, lua_CFunction> regex_methods[] = {
      {"match", regex_match}, {"find", regex_find}, {"test", regex_test}, {"count", regex_count<false>}, {"count_lines", regex_count<true>}};
  for (auto [name, function] : regex_methods) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  freeze_library(lua, "a pattern");
  lua_setfield(lua, -2, "__index");
  const std::pair<const char*, lua_CFunction> regex_meta[] = {
      {"__call", regex_match}, {"__tostring", regex_text}, {"__gc", destroy_object<RegexPointer>}};
  for (auto [name, function] : regex_meta) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  hide_metatable(lua);
  lua_pop(lua, 1);

  const std::pair<const char*, lua_CFunction> functions[] = {
      {"list", make_list}, {"re", make_regex}, {"count", count}, {"remember", remember}, {"recall", recall}, {"log", write_log},
      {"print", write_log}, {"now", now}};
  for (auto [name, function] : functions) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
}

}  // namespace postern::filters::lua
