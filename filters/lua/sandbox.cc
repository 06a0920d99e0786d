// What a rule may touch: a few functions of Lua's base library, made safe, and tables that cannot
// be written to.  No io, os, debug, load, coroutine, string.dump, no random numbers (a verdict must
// be repeatable), no garbage collector methods.
#include <algorithm>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  auto near = nearest(word, known);
  return near.empty() ? "" : " (" + std::string(near) + "?)";
}

// __index of a frozen table's inner table: the field is not there.
// Upvalues: 1 what it is, 2 whether it is a list, 3.. names that may be nil.
int missing_field(lua_State* lua) {
  if (lua_toboolean(lua, lua_upvalueindex(2)) && lua_type(lua, 2) == LUA_TNUMBER) return 0;
  if (lua_type(lua, 2) == LUA_TSTRING) {
    std::string_view key = view(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(3));
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, -2) != LUA_TNIL) return 0;
    std::vector<std::string_view> known;
    for (int table : {1, -2}) {
      int at = lua_absindex(lua, table);
      for (lua_pushnil(lua); lua_next(lua, at) != 0; lua_pop(lua, 1)) {
        if (lua_type(lua, -2) == LUA_TSTRING) known.push_back(lua_tostring(lua, -2));
      }
    }
    raise(lua, std::string("unknown field \"") + printable(key, 40) + "\" of " + lua_tostring(lua, lua_upvalueindex(1)) +
                   did_you_mean(key, known));
  }
  raise(lua, std::string(lua_tostring(lua, lua_upvalueindex(1))) + " has no field of type " + luaL_typename(lua, 2));
}

int no_assignment(lua_State* lua) {
  raise(lua, std::string(lua_tostring(lua, lua_upvalueindex(1))) + " cannot be changed");
}

int frozen_length(lua_State* lua) {
  lua_pushinteger(lua, static_cast<lua_Integer>(lua_rawlen(lua, lua_upvalueindex(1))));
  return 1;
}

int frozen_next(lua_State* lua) {
  lua_settop(lua, 2);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 2);
  return lua_next(lua, 2) != 0 ? 2 : 0;
}

int frozen_pairs(lua_State* lua) {
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushcclosure(lua, frozen_next, 1);
  lua_pushvalue(lua, 1);
  return 2;
}

int frozen_text(lua_State* lua) {
  lua_pushvalue(lua, lua_upvalueindex(1));
  return 1;
}

// Makes the table on top a proxy; `missing` (on top of it) becomes the inner table's __index unless nil.
void make_proxy(lua_State* lua, const char* what) {
  int inner = lua_absindex(lua, -1);
  lua_newtable(lua);   // the proxy
  lua_newtable(lua);   // its metatable
  lua_pushvalue(lua, inner);
  lua_setfield(lua, -2, "__index");
  lua_pushstring(lua, what);
  lua_pushcclosure(lua, no_assignment, 1);
  lua_setfield(lua, -2, "__newindex");
  lua_pushvalue(lua, inner);
  lua_pushcclosure(lua, frozen_length, 1);
  lua_setfield(lua, -2, "__len");
  lua_pushvalue(lua, inner);
  lua_pushcclosure(lua, frozen_pairs, 1);
  lua_setfield(lua, -2, "__pairs");
  lua_pushstring(lua, what);
  lua_pushcclosure(lua, frozen_text, 1);
  lua_setfield(lua, -2, "__tostring");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_remove(lua, inner);
}

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

int unknown_global(lua_State* lua) {
  if (lua_type(lua, 2) != LUA_TSTRING) return 0;
  std::string_view key = view(lua, 2);
  std::vector<std::string_view> known;
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -2) == LUA_TSTRING) known.push_back(lua_tostring(lua, -2));
  }
  static constexpr std::string_view kGone[] = {"io", "os", "debug", "load", "loadstring", "dofile", "loadfile", "coroutine", "package", "collectgarbage",
                                               "rawset", "rawget", "_G"};
  if (std::find(std::begin(kGone), std::end(kGone), key) != std::end(kGone)) {
    raise(lua, "\"" + std::string(key) + "\" is not available in rules");
  }
  raise(lua, "unknown name \"" + printable(key, 40) + "\"" + did_you_mean(key, known));
}

int global_assignment(lua_State* lua) {
  std::string key = lua_type(lua, 2) == LUA_TSTRING ? std::string(view(lua, 2)) : luaL_typename(lua, 2);
  raise(lua, "global variable \"" + printable(key, 40) + "\" assigned: globals are frozen, write local " + printable(key, 40));
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

void freeze(lua_State* lua, const char* what, std::vector<std::string_view> known, bool is_list) {
  lua_newtable(lua);  // metatable of the inner table
  lua_pushstring(lua, what);
  lua_pushboolean(lua, is_list ? 1 : 0);
  lua_newtable(lua);
  for (auto word : known) {
    push(lua, word);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
  }
  lua_pushcclosure(lua, missing_field, 3);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  make_proxy(lua, what);
}

void freeze_library(lua_State* lua, const char* what) { freeze(lua, what, {}); }

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

// --- loading

namespace {

// Registry key: modules by name.
constexpr const char* kLoaded = "postern.loaded";

// A table that a file may read names from and write none to.
void push_environment(lua_State* lua) {
  lua_newtable(lua);
  lua_newtable(lua);
  lua_getfield(lua, LUA_REGISTRYINDEX, kGlobals);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, global_assignment);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
}

void load_text(lua_State* lua, const SourceFile& file) {
  std::string chunk = "@" + file.name;
  // "t": a precompiled chunk could break the interpreter.
  if (luaL_loadbufferx(lua, file.text.data(), file.text.size(), chunk.c_str(), "t") != LUA_OK) lua_error(lua);
  push_environment(lua);
  lua_setupvalue(lua, -2, 1);
}

int require_module(lua_State* lua) {
  Running& run = State::running(lua);
  std::string name(view(lua, 1));
  luaL_getsubtable(lua, LUA_REGISTRYINDEX, kLoaded);
  if (lua_getfield(lua, -1, name.c_str()) != LUA_TNIL) {
    if (lua_islightuserdata(lua, -1)) raise(lua, "require \"" + printable(name) + "\": the files require each other in a circle");
    return 1;
  }
  lua_pop(lua, 1);
  const SourceFile* file = run.state->generation().module(name);
  if (file == nullptr) {
    raise(lua, "require \"" + printable(name, 60) + "\": no such file; std.* come with Postern, others lie in the rules folder");
  }
  if (run.rule != nullptr) raise(lua, "require \"" + printable(name, 60) + "\" belongs to the top of the file");
  lua_pushlightuserdata(lua, run.state);
  lua_setfield(lua, -2, name.c_str());
  load_text(lua, *file);
  lua_call(lua, 0, 1);
  if (lua_isnil(lua, -1)) {
    lua_pop(lua, 1);
    lua_pushboolean(lua, 1);
  }
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, name.c_str());
  return 1;
}

}  // namespace

void open_require(lua_State* lua) {
  lua_pushcfunction(lua, require_module);
  lua_setfield(lua, -2, "require");
}

void State::set_up() {
  std::string problem;
  auto open = [](lua_State* lua) {
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, LUA_REGISTRYINDEX, kGlobals);
    open_base(lua);
    open_strings(lua);
    open_tables(lua);
    open_verdicts(lua);
    open_handles(lua);
    open_dns(lua);
    open_tools(lua);
    open_definitions(lua);
    open_require(lua);
    lua_newtable(lua);
    lua_pushcfunction(lua, unknown_global);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
  };
  if (!protect(open, problem)) mistakes_->push_back({"", problem});
}

void State::run_file(const SourceFile& file) {
  std::string problem;
  main_run_.cpu_used = {};
  main_run_.measured = false;
  main_run_.memory = 0;
  main_run_.cpu_limit = generation_->budgets().load_cpu;
  main_run_.memory_limit = generation_->budgets().load_memory;
  begin_slice(main_run_);
  bool good = protect(
      [&file](lua_State* lua) {
        luaL_getsubtable(lua, LUA_REGISTRYINDEX, kLoaded);
        std::string name = file.name.substr(6, file.name.size() - 10);  // rules/NAME.lua, once is enough
        if (lua_getfield(lua, -1, name.c_str()) != LUA_TNIL) return;
        load_text(lua, file);
        lua_call(lua, 0, 0);
      },
      problem);
  must_rethrow(main_run_, LUA_OK);
  end_slice(main_run_);
  if (!good) {
    std::string at;
    auto colon = problem.find(".lua:");
    auto end = colon == std::string::npos ? colon : problem.find(": ", colon);
    if (end != std::string::npos && problem.substr(0, colon).find(' ') == std::string::npos) {
      at = problem.substr(0, end);
      problem.erase(0, end + 2);
    } else {
      at = file.name;
    }
    mistakes_->push_back({at, problem});
  }
  if (main_run_.stopped) {
    main_run_.stopped = false;
    lua_sethook(main_, &State::count_hook, LUA_MASKCOUNT, 256);
  }
}

void State::run_files() {
  if (const SourceFile* prelude = generation_->find("scripts/prelude.lua")) {
    std::string problem;
    bool good = protect(
        [prelude](lua_State* lua) {
          std::string chunk = "@" + prelude->name;
          if (luaL_loadbufferx(lua, prelude->text.data(), prelude->text.size(), chunk.c_str(), "t") != LUA_OK) lua_error(lua);
          lua_getfield(lua, LUA_REGISTRYINDEX, kGlobals);  // the prelude alone may define globals
          lua_setupvalue(lua, -2, 1);
          lua_call(lua, 0, 0);
        },
        problem);
    if (!good) mistakes_->push_back({"", problem});
  } else {
    mistakes_->push_back({"", "scripts/prelude.lua is missing: the folder of Postern's own scripts was not found"});
  }
  auto seal = [](lua_State* lua) {
    lua_getfield(lua, LUA_REGISTRYINDEX, kGlobals);
    for (const char* library : {"string", "table", "dns"}) {
      lua_getfield(lua, -1, library);
      freeze_library(lua, library);
      lua_setfield(lua, -2, library);
    }
  };
  std::string trouble;
  if (!protect(seal, trouble)) mistakes_->push_back({"", trouble});
  if (!mistakes_->empty()) return;
  for (const SourceFile* file : generation_->rule_files()) run_file(*file);
}

std::shared_ptr<State> State::load(std::shared_ptr<const Generation> generation, std::vector<Mistake>& mistakes) {
  std::shared_ptr<State> state(new State(std::move(generation)));
  state->mistakes_ = &mistakes;
  state->set_up();
  if (mistakes.empty()) state->run_files();
  state->mistakes_ = nullptr;
  return state;
}

}  // namespace postern::filters::lua
