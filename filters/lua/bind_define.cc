// rule "name" { ... } and test "name" { ... }: what a file says when it is loaded.
#include <algorithm>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr std::size_t kMaxRules = 2'000;
constexpr std::size_t kMaxName = 100;

// The place of the statement that called us.
std::pair<std::string, int> caller(lua_State* lua) {
  lua_Debug frame{};
  for (int level = 1; lua_getstack(lua, level, &frame) != 0; ++level) {
    lua_getinfo(lua, "Sl", &frame);
    if (frame.currentline > 0) return {frame.short_src, frame.currentline};
  }
  return {"", 0};
}

void mistake(State& state, const std::string& file, int line, std::string what) {
  state.mistakes()->push_back({file + ":" + std::to_string(line), std::move(what)});
}

void check_keys(lua_State* lua, State& state, const char* kind, const std::string& file, int line, const std::vector<std::string_view>& known) {
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -2) != LUA_TSTRING) {
      mistake(state, file, line, std::string(kind) + " takes only named fields");
      continue;
    }
    std::string_view key = lua_tostring(lua, -2);
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    mistake(state, file, line, "unknown field \"" + printable(key, 40) + "\" of " + kind + did_you_mean(key, known));
  }
}

std::optional<Direction> direction_named(std::string_view word) {
  if (word == "in") return Direction::in;
  if (word == "out") return Direction::out;
  if (word == "both") return Direction::both;
  return std::nullopt;
}

// The table of a rule.  Upvalues: its name, the line of the word rule.
int define_rule(lua_State* lua) {
  Running& run = State::running(lua);
  State& state = *run.state;
  RuleInfo info;
  info.name = lua_tostring(lua, lua_upvalueindex(1));
  info.line = static_cast<int>(lua_tointeger(lua, lua_upvalueindex(2)));
  info.file = caller(lua).first;
  if (lua_type(lua, 1) != LUA_TTABLE) {
    mistake(state, info.file, info.line, "rule \"" + info.name + "\" wants a table: rule \"" + info.name + "\" { on = ..., check = ... }");
    return 0;
  }
  lua_settop(lua, 1);
  check_keys(lua, state, "rule", info.file, info.line, {"on", "about", "check", "direction", "required", "shadow"});
  std::size_t before = state.mistakes()->size();
  auto wrong = [&](const std::string& what) { mistake(state, info.file, info.line, "rule \"" + info.name + "\": " + what); };

  lua_getfield(lua, 1, "on");
  std::string on = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
  if (auto stage = stage_named(on)) {
    info.stage = *stage;
  } else if (on.empty()) {
    wrong("on = STAGE is missing; stages are connect, mail, rcpt, message, verdict and deliver");
  } else {
    wrong("unknown stage \"" + printable(on, 40) + "\"" + did_you_mean(on, {"connect", "mail", "rcpt", "message", "verdict", "deliver"}) +
          "; stages are connect, mail, rcpt, message, verdict and deliver");
  }
  lua_getfield(lua, 1, "about");
  if (lua_type(lua, -1) == LUA_TSTRING) {
    info.about = lua_tostring(lua, -1);
  } else if (!lua_isnil(lua, -1)) {
    wrong("about = is a text");
  }
  lua_getfield(lua, 1, "direction");
  if (!lua_isnil(lua, -1)) {
    auto direction = lua_type(lua, -1) == LUA_TSTRING ? direction_named(view(lua, -1)) : std::nullopt;
    if (!direction) wrong("direction = is \"in\", \"out\" or \"both\"");
    info.direction = direction.value_or(Direction::in);
  }
  for (auto [key, flag] : {std::pair<const char*, bool*>{"required", &info.required}, {"shadow", &info.shadow}}) {
    lua_getfield(lua, 1, key);
    if (!lua_isnil(lua, -1) && !lua_isboolean(lua, -1)) wrong(std::string(key) + " = is true or false");
    *flag = lua_toboolean(lua, -1) != 0;
  }
  if (info.required && info.shadow) wrong("required and shadow exclude each other");
  for (const RuleInfo& other : state.rules()) {
    if (other.name == info.name) wrong("the name is taken by the rule at " + other.at());
  }
  lua_getfield(lua, 1, "check");
  if (lua_type(lua, -1) != LUA_TFUNCTION || lua_iscfunction(lua, -1)) {
    wrong("check = function(...) ... end is missing");
    return 0;
  }
  lua_Debug function{};
  lua_pushvalue(lua, -1);
  lua_getinfo(lua, ">S", &function);
  info.check_line = function.linedefined;
  if (state.rules().size() >= kMaxRules) wrong("more than 2000 rules");
  if (state.mistakes()->size() > before) return 0;
  info.function = luaL_ref(lua, LUA_REGISTRYINDEX);
  state.loaded_rules().push_back(std::move(info));
  return 0;
}

int define_test(lua_State* lua) {
  Running& run = State::running(lua);
  State& state = *run.state;
  TestInfo info;
  info.name = lua_tostring(lua, lua_upvalueindex(1));
  info.line = static_cast<int>(lua_tointeger(lua, lua_upvalueindex(2)));
  info.file = caller(lua).first;
  if (lua_type(lua, 1) != LUA_TTABLE) {
    mistake(state, info.file, info.line, "test \"" + info.name + "\" wants a table: { given = {...}, want = {...} }");
    return 0;
  }
  lua_settop(lua, 1);
  check_keys(lua, state, "test", info.file, info.line, {"given", "dns", "scanner", "clock", "want", "all", "before"});
  lua_getfield(lua, 1, "want");
  if (lua_type(lua, -1) != LUA_TTABLE) {
    mistake(state, info.file, info.line, "test \"" + info.name + "\": want = {...} is missing, so it would prove nothing");
    return 0;
  }
  lua_settop(lua, 1);
  info.table = luaL_ref(lua, LUA_REGISTRYINDEX);
  state.loaded_tests().push_back(std::move(info));
  return 0;
}

int definition(lua_State* lua, const char* word, lua_CFunction define) {
  Running& run = State::running(lua);
  if (run.state->mistakes() == nullptr) raise(lua, std::string(word) + " belongs to the top of a file");
  if (lua_type(lua, 1) != LUA_TSTRING || view(lua, 1).empty() || view(lua, 1).size() > kMaxName) {
    raise(lua, std::string(word) + " wants a name: " + word + " \"name\" { ... }");
  }
  // Names stand in headers and log lines.
  for (char c : view(lua, 1)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) raise(lua, std::string("the name of a ") + word + " has a control character in it");
  }
  lua_pushvalue(lua, 1);
  lua_pushinteger(lua, caller(lua).second);
  lua_pushcclosure(lua, define, 2);
  return 1;
}

int rule_word(lua_State* lua) { return definition(lua, "rule", define_rule); }
int test_word(lua_State* lua) { return definition(lua, "test", define_test); }

}  // namespace

void open_definitions(lua_State* lua) {
  lua_pushcfunction(lua, rule_word);
  lua_setfield(lua, -2, "rule");
  lua_pushcfunction(lua, test_word);
  lua_setfield(lua, -2, "test");
}

}  // namespace postern::filters::lua
