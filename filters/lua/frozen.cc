// Tables that rules can read and not change: facts, libraries, lists.
#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

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

}  // namespace

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

// The names are put into a table once for each state; its place in the registry is the list's address.
void freeze_words(lua_State* lua, const char* what, const std::vector<std::string_view>& known) {
  lua_newtable(lua);  // metatable of the inner table
  lua_pushstring(lua, what);
  lua_pushboolean(lua, 0);
  if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &known) != LUA_TTABLE) {
    lua_pop(lua, 1);
    lua_createtable(lua, 0, static_cast<int>(known.size()));
    for (auto word : known) {
      push(lua, word);
      lua_pushboolean(lua, 1);
      lua_rawset(lua, -3);
    }
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &known);
  }
  lua_pushcclosure(lua, missing_field, 3);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  make_proxy(lua, what);
}

void freeze_over(lua_State* lua, const char* what, lua_CFunction missing) {
  lua_newtable(lua);
  lua_pushcfunction(lua, missing);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  make_proxy(lua, what);
}

void freeze_library(lua_State* lua, const char* what) { freeze(lua, what, {}); }

}  // namespace postern::filters::lua
