// The table library: counted, and without metamethods, whose __len could name any length.
// table.sort is the prelude's, so that its callback may wait for a fact.
#include "filters/lua/bind.h"

namespace postern::filters::lua {
namespace {

lua_Integer length(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  return static_cast<lua_Integer>(lua_rawlen(lua, 1));
}

// A frozen table is a proxy: writing past it would fill a table that nobody reads.
void check_writable(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (lua_getmetatable(lua, 1) == 0) return;
  lua_pushliteral(lua, "__newindex");
  if (lua_rawget(lua, -2) != LUA_TNIL) raise(lua, "this table cannot be changed");
  lua_pop(lua, 2);
}

int insert(lua_State* lua) {
  check_writable(lua);
  lua_Integer count = length(lua);
  lua_Integer at = count + 1;
  if (lua_gettop(lua) == 3) {
    at = luaL_checkinteger(lua, 2);
    if (at < 1 || at > count + 1) raise(lua, "table.insert: the position is out of bounds");
  } else if (lua_gettop(lua) != 2) {
    raise(lua, "table.insert takes two or three arguments");
  }
  State::spend(lua, 1 + static_cast<std::size_t>(count + 1 - at));
  for (lua_Integer i = count; i >= at; --i) {
    lua_rawgeti(lua, 1, i);
    lua_rawseti(lua, 1, i + 1);
  }
  lua_rawseti(lua, 1, at);
  return 0;
}

int remove(lua_State* lua) {
  check_writable(lua);
  lua_Integer count = length(lua);
  lua_Integer at = luaL_optinteger(lua, 2, count);
  if (count == 0 && (at == 0 || at == 1)) {
    lua_pushnil(lua);
    return 1;
  }
  if (at < 1 || at > count + 1) raise(lua, "table.remove: the position is out of bounds");
  lua_rawgeti(lua, 1, at);
  if (at <= count) State::spend(lua, 1 + static_cast<std::size_t>(count - at));
  for (lua_Integer i = at; i < count; ++i) {
    lua_rawgeti(lua, 1, i + 1);
    lua_rawseti(lua, 1, i);
  }
  lua_pushnil(lua);
  lua_rawseti(lua, 1, at <= count ? count : at);
  return 1;
}

int concat(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  std::size_t separator_size = 0;
  const char* separator = luaL_optlstring(lua, 2, "", &separator_size);
  lua_Integer from = luaL_optinteger(lua, 3, 1);
  lua_Integer to = lua_isnoneornil(lua, 4) ? luaL_len(lua, 1) : luaL_checkinteger(lua, 4);
  luaL_Buffer buffer;
  luaL_buffinit(lua, &buffer);
  for (lua_Integer i = from; i <= to; ++i) {
    State::spend(lua, 1);
    lua_geti(lua, 1, i);  // a frozen list too; a wait inside of it is refused with the cure
    if (lua_isstring(lua, -1) == 0) raise(lua, std::string("table.concat: element ") + std::to_string(i) + " is a " + luaL_typename(lua, -1));
    luaL_addvalue(&buffer);
    if (i != to) luaL_addlstring(&buffer, separator, separator_size);
    if (i == to) break;  // `to` may be the largest number
  }
  luaL_pushresult(&buffer);
  return 1;
}

int unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_Integer from = luaL_optinteger(lua, 2, 1);
  lua_Integer to = lua_isnoneornil(lua, 3) ? luaL_len(lua, 1) : luaL_checkinteger(lua, 3);
  if (from > to) return 0;
  if (static_cast<lua_Unsigned>(to) - static_cast<lua_Unsigned>(from) >= 250) raise(lua, "table.unpack: more than 250 values");
  luaL_checkstack(lua, static_cast<int>(to - from + 1), "table.unpack");
  for (lua_Integer i = from; i <= to; ++i) lua_geti(lua, 1, i);
  return static_cast<int>(to - from + 1);
}

int pack(lua_State* lua) {
  int count = lua_gettop(lua);
  lua_createtable(lua, count, 1);
  lua_insert(lua, 1);
  for (int i = count; i >= 1; --i) lua_rawseti(lua, 1, i);
  lua_pushinteger(lua, count);
  lua_setfield(lua, 1, "n");
  return 1;
}

}  // namespace

void open_tables(lua_State* lua) {
  lua_newtable(lua);
  const std::pair<const char*, lua_CFunction> functions[] = {
      {"insert", insert}, {"remove", remove}, {"concat", concat}, {"unpack", unpack}, {"pack", pack}};
  for (auto [name, function] : functions) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  lua_setfield(lua, -2, "table");
}

}  // namespace postern::filters::lua
