// From files to a state that is ready: the globals, what a file may see of them, require, and one file after the other.
#include <algorithm>
#include <iterator>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

// Registry key: modules by name.
constexpr const char* kLoaded = "postern.loaded";

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
