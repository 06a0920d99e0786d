// What a rule may touch: a few functions of Lua's base library, made safe, and tables that cannot
// be written to.  No io, os, debug, load, coroutine, string.dump, no random numbers (a verdict must
// be repeatable), no garbage collector methods.
#include <algorithm>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

// --- base functions

// pcall and xpcall catch what a rule did, never that its budget is spent or its message is gone.
int finish_pcall(lua_State* lua, int status, lua_KContext extra) {
  if (status != LUA_OK && status != LUA_YIELD) {
    Running& run = State::running(lua);
    if (run.state->must_rethrow(run, status)) return lua_error(lua);
    lua_pushboolean(lua, 0);
    lua_pushvalue(lua, -2);
    return 2;
  }
  return lua_gettop(lua) - static_cast<int>(extra);
}

int safe_pcall(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  int status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, finish_pcall);
  return finish_pcall(lua, status, 0);
}

int finish_handler(lua_State* lua, int, lua_KContext) { return lua_gettop(lua); }

// On the stack: handler, true, then the error or the results.
int finish_xpcall(lua_State* lua, int status, lua_KContext) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(lua) - 1;
  Running& run = State::running(lua);
  if (run.state->must_rethrow(run, status)) return lua_error(lua);
  lua_pushboolean(lua, 0);
  lua_insert(lua, 1);
  lua_remove(lua, 3);
  lua_callk(lua, 1, LUA_MULTRET, 0, finish_handler);
  return finish_handler(lua, LUA_OK, 0);
}

// The handler runs after the stack is unwound: Lua would call it inside of our count hook, where no
// other hook could stop it.
int safe_xpcall(lua_State* lua) {
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_pushvalue(lua, 2);
  lua_insert(lua, 1);     // handler, function, handler, arguments
  lua_pushvalue(lua, 2);
  lua_replace(lua, 3);
  lua_pushboolean(lua, 1);
  lua_replace(lua, 2);    // handler, true, function, arguments
  int status = lua_pcallk(lua, lua_gettop(lua) - 3, LUA_MULTRET, 0, 0, finish_xpcall);
  return finish_xpcall(lua, status, 0);
}

// In a copied metatable under this address: that it may be replaced.
constexpr char kReplaceable = 0;

// Leaves a copy of the metatable at 2 on top.  getmetatable gives the rule its own table back.
void copy_metatable(lua_State* lua) {
  lua_newtable(lua);
  int copy = lua_gettop(lua);
  for (lua_pushnil(lua); lua_next(lua, 2) != 0;) {
    State::spend(lua, 1);
    lua_pushvalue(lua, -2);
    lua_insert(lua, -2);
    lua_rawset(lua, copy);
  }
  lua_pushliteral(lua, "__metatable");
  if (lua_rawget(lua, 2) != LUA_TNIL) {
    lua_pop(lua, 1);
    return;
  }
  lua_pop(lua, 1);
  lua_pushvalue(lua, 2);
  lua_setfield(lua, copy, "__metatable");
  lua_pushboolean(lua, 1);
  lua_rawsetp(lua, copy, &kReplaceable);
}

// A finalizer would run in another rule's time, a closer behind a spent budget.  The table gets a copy,
// or a rule would set the forbidden fields afterwards.
int safe_setmetatable(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (lua_isnil(lua, 2)) raise(lua, "a metatable cannot be taken away");
  luaL_checktype(lua, 2, LUA_TTABLE);
  lua_settop(lua, 2);
  for (const char* forbidden : {"__gc", "__close", "__mode"}) {
    lua_pushstring(lua, forbidden);
    if (lua_rawget(lua, 2) != LUA_TNIL) raise(lua, std::string(forbidden) + " is not available in rules");
    lua_pop(lua, 1);
  }
  if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
    lua_getmetatable(lua, 1);
    if (lua_rawgetp(lua, -1, &kReplaceable) == LUA_TNIL) raise(lua, "this table's metatable is protected");
  }
  lua_settop(lua, 2);
  copy_metatable(lua);
  lua_setmetatable(lua, 1);
  lua_settop(lua, 1);
  return 1;
}

// Runs the C function of upvalue 1 after counting the text that it will look through.
int counted(lua_State* lua) {
  if (lua_type(lua, 1) == LUA_TSTRING) State::spend(lua, lua_rawlen(lua, 1) / 64);
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

// Replaces these functions of the table on top, which take time with the length of their text.
void count_work(lua_State* lua, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, counted, 1);
    lua_setfield(lua, -2, name);
  }
}

constexpr const char* kKept[] = {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawlen", "select", "tonumber", "tostring", "type"};

}  // namespace

void raise(lua_State* lua, const std::string& what) {
  std::string at = State::place(lua);
  push(lua, at.empty() ? what : at + ": " + what);
  lua_error(lua);
  std::abort();  // not reached: lua_error throws
}

int wait_for(lua_State* lua, io::Task<void> task, const char* what, lua_KFunction then, lua_KContext context) {
  Running& run = State::running(lua);
  if (lua_isyieldable(lua) == 0) {
    raise(lua, std::string(what) + " has to be waited for, which is not possible inside this callback: read it into a local before, like local value = " + what);
  }
  run.pending = std::move(task);
  return lua_yieldk(lua, 0, context, then);
}

std::chrono::seconds check_span(lua_State* lua, int index) {
  std::int64_t seconds = 0;
  if (lua_type(lua, index) == LUA_TNUMBER) {
    seconds = static_cast<std::int64_t>(lua_tonumber(lua, index));
  } else if (lua_type(lua, index) == LUA_TSTRING) {
    auto parsed = parse_milliseconds(view(lua, index));
    if (!parsed) raise(lua, "\"" + printable(view(lua, index), 40) + "\" is no span of time; write 30s, 10m, 2h or 7d");
    seconds = *parsed / 1000;
  } else {
    raise(lua, std::string("a span of time like \"10m\" is expected, not a ") + luaL_typename(lua, index));
  }
  if (seconds < 1 || seconds > 400LL * 86'400) raise(lua, "a span of time must be between one second and 400 days");
  return std::chrono::seconds(seconds);
}

Running& check_run(lua_State* lua, const char* what) {
  Running& run = State::running(lua);
  if (run.rule == nullptr) raise(lua, std::string(what) + " works only inside a check function, not while files are loaded");
  return run;
}

void open_base(lua_State* lua) {
  luaL_requiref(lua, "_G", luaopen_base, 0);  // fills the real table of globals
  for (const char* name : kKept) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, -3, name);
  }
  lua_pop(lua, 1);
  count_work(lua, {"tonumber"});
  lua_pushcfunction(lua, safe_pcall);
  lua_setfield(lua, -2, "pcall");
  lua_pushcfunction(lua, safe_xpcall);
  lua_setfield(lua, -2, "xpcall");
  lua_pushcfunction(lua, safe_setmetatable);
  lua_setfield(lua, -2, "setmetatable");
  for (auto [name, open] : {std::pair<const char*, lua_CFunction>{"math", luaopen_math}, {"utf8", luaopen_utf8}}) {
    open(lua);
    if (std::string_view(name) == "math") {
      for (const char* random : {"random", "randomseed"}) {
        lua_pushnil(lua);
        lua_setfield(lua, -2, random);
      }
    }
    if (std::string_view(name) == "utf8") count_work(lua, {"len", "codepoint", "offset"});
    freeze_library(lua, name);
    lua_setfield(lua, -2, name);
  }
}

}  // namespace postern::filters::lua
