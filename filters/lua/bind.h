#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "filters/lua/state.h"

// What the bind_*.cc files share.  Everything here runs under a protected call of Lua and may raise
// a Lua error (a C++ exception in lua5.4-c++, so destructors run).
namespace postern::filters::lua {

// Each sets its functions in the table of globals, which lies on top of the stack.
void open_base(lua_State* lua);       // pcall, error, tostring, ...: sandbox.cc
void open_strings(lua_State* lua);
void open_tables(lua_State* lua);
void open_verdicts(lua_State* lua);
void open_handles(lua_State* lua);
void open_header(lua_State* lua);
void open_dns(lua_State* lua);
void open_tools(lua_State* lua);      // list re count remember recall log now
void open_definitions(lua_State* lua);  // rule test
void open_require(lua_State* lua);

// Registry metatables of handles.
inline constexpr const char* kConnection = "postern.conn";
inline constexpr const char* kMail = "postern.mail";
inline constexpr const char* kRecipient = "postern.rcpt";
inline constexpr const char* kHeader = "postern.header";
inline constexpr const char* kVerdict = "postern.verdict";
// The table of globals, in the registry.
inline constexpr const char* kGlobals = "postern.globals";

inline void push(lua_State* lua, std::string_view text) { lua_pushlstring(lua, text.data(), text.size()); }
inline std::string_view view(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(lua, index, &size);
  return {text, size};
}

// Raises `what` with the caller's place in front.
[[noreturn]] void raise(lua_State* lua, const std::string& what);

// The table on top becomes read-only: reading, #, ipairs and pairs work, writing is an error, an
// unknown field is an error with the nearest name.  `known` names fields that may be nil; a list
// (is_list) answers nil for numbers behind its end.
void freeze(lua_State* lua, const char* what, std::vector<std::string_view> known, bool is_list = false);

// The same for a table with many names that may be nil: those that the list at `known` has, which lives for ever.
void freeze_words(lua_State* lua, const char* what, const std::vector<std::string_view>& known);

// The table on top becomes read-only; what is not in it is asked of `missing`, as __index.
void freeze_over(lua_State* lua, const char* what, lua_CFunction missing);

// The table on top becomes a proxy that cannot be written to (libraries).
void freeze_library(lua_State* lua, const char* what);

// Yields until the pending task of the run is done, then calls `then`; or explains the cure where a
// wait is not possible.  `what`: "mail.spf".
int wait_for(lua_State* lua, io::Task<void> task, const char* what, lua_KFunction then, lua_KContext context = 0);

// "10m", "2h", "7d", "30s" or a number of seconds.
std::chrono::seconds check_span(lua_State* lua, int index);

// The fields of "conn", "mail" or "rcpt".
std::vector<std::string_view> field_names(std::string_view handle);
struct FieldInfo {
  std::string_view name;
  std::string_view about;    // a sentence
  bool late = false;         // known from stage message on
};
std::vector<FieldInfo> field_infos(std::string_view handle);

// The run, which must be that of a rule: "count() works only inside a check function".
Running& check_run(lua_State* lua, const char* what);

}  // namespace postern::filters::lua
