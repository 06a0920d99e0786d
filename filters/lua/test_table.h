#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

// Reading the tables of tests.  A mistake raises an error of Lua.
namespace postern::filters::lua {

// A field of the table at `table`, left on the stack; false (and nothing left) when it is nil.
inline bool field(lua_State* lua, int table, const char* name) {
  if (lua_getfield(lua, table, name) != LUA_TNIL) return true;
  lua_pop(lua, 1);
  return false;
}

inline void only(lua_State* lua, int table, const char* where, const std::vector<std::string_view>& known) {
  if (lua_type(lua, table) != LUA_TTABLE) raise(lua, std::string(where) + " is a table");
  for (lua_pushnil(lua); lua_next(lua, table) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -2) != LUA_TSTRING) raise(lua, std::string(where) + " takes only named fields");
    std::string_view key = lua_tostring(lua, -2);
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    raise(lua, "unknown field \"" + printable(key, 40) + "\" of " + where + did_you_mean(key, known));
  }
}

inline std::optional<std::string> text(lua_State* lua, int table, const char* name) {
  if (!field(lua, table, name)) return std::nullopt;
  if (lua_isstring(lua, -1) == 0) raise(lua, std::string(name) + " is a text");
  std::string out(view(lua, -1));
  lua_pop(lua, 1);
  return out;
}

inline bool flag(lua_State* lua, int table, const char* name, bool otherwise = false) {
  lua_getfield(lua, table, name);
  bool set = lua_isnil(lua, -1) ? otherwise : lua_toboolean(lua, -1) != 0;
  lua_pop(lua, 1);
  return set;
}

// A text or a list of texts.
inline std::vector<std::string> texts(lua_State* lua, int table, const char* name) {
  std::vector<std::string> out;
  if (!field(lua, table, name)) return out;
  if (lua_isstring(lua, -1) != 0) {
    out.emplace_back(view(lua, -1));
  } else if (lua_type(lua, -1) == LUA_TTABLE) {
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
      if (lua_isstring(lua, -1) == 0) raise(lua, std::string(name) + " is a text or a list of texts");
      out.emplace_back(view(lua, -1));
      lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
  } else {
    raise(lua, std::string(name) + " is a text or a list of texts");
  }
  lua_pop(lua, 1);
  return out;
}

template <class Enum>
Enum word(lua_State* lua, const char* where, std::string_view given, std::initializer_list<Enum> all) {
  std::string known;
  for (Enum value : all) {
    if (name(value) == given) return value;
    known += (known.empty() ? "" : ", ") + std::string(name(value));
  }
  raise(lua, std::string(where) + " cannot be \"" + printable(given, 40) + "\"; it is one of " + known);
}

}  // namespace postern::filters::lua
