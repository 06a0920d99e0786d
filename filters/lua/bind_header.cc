// mail.header["X"]: the first field of that name as a reader sees it, or nil; mail.header("X"): all of them.
#include <algorithm>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr lua_Integer kMaxValues = 1'000;

Scene& scene_of(lua_State* lua) {
  auto* handle = static_cast<Handle*>(lua_touserdata(lua, 1));
  if (handle == nullptr || handle->scene == nullptr) raise(lua, "mail.header was used after its message was done");
  return *handle->scene;
}

void push_readable(lua_State* lua, const mail::HeaderField& field) {
  State::spend(lua, std::min(field.raw.size(), mail::kMaxReadableField) / 16);
  push(lua, mail::readable(field.raw));
}

int first(lua_State* lua) {
  Scene& scene = scene_of(lua);
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, "mail.header[\"Name\"]: the name is a text");
  lua_getiuservalue(lua, 1, 1);
  lua_pushvalue(lua, 2);
  if (lua_rawget(lua, 3) != LUA_TNIL) return 1;   // decoded for an earlier rule
  const auto* field = scene.header.find(view(lua, 2));
  if (field == nullptr) return 0;
  push_readable(lua, *field);
  lua_pushvalue(lua, 2);
  lua_pushvalue(lua, -2);
  lua_rawset(lua, 3);
  return 1;
}

int all(lua_State* lua) {
  Scene& scene = scene_of(lua);
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, "mail.header(\"Name\"): the name is a text");
  std::string_view name = view(lua, 2);
  lua_newtable(lua);
  lua_Integer count = 0;
  for (const auto& field : scene.header.fields()) {
    if (count == kMaxValues || !iequals(field.name, name)) continue;
    State::spend(lua, 1);
    push_readable(lua, field);
    lua_rawseti(lua, -2, ++count);
  }
  return 1;
}

int no_write(lua_State* lua) { raise(lua, "mail.header cannot be changed: facts are read only"); }

}  // namespace

void open_header(lua_State* lua) {
  luaL_newmetatable(lua, kHeader);
  lua_pushcfunction(lua, first);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, all);
  lua_setfield(lua, -2, "__call");
  lua_pushcfunction(lua, no_write);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
}

}  // namespace postern::filters::lua
