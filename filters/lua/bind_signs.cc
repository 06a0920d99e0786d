// mail.signs: what may be odd about header and text.  A sign that was not seen is false or 0, and so is one of which nothing is known.
#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"
#include "filters/message_signs.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

int not_seen(lua_State* lua) {
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, std::string("mail.signs has no field of type ") + luaL_typename(lua, 2));
  const auto* sign = find_sign(view(lua, 2));
  if (sign == nullptr) raise(lua, "unknown field \"" + printable(view(lua, 2), 40) + "\" of mail.signs" + did_you_mean(view(lua, 2), sign_words()));
  if (is_number(sign->kind)) lua_pushinteger(lua, 0);
  else lua_pushboolean(lua, 0);
  return 1;
}

}  // namespace

const std::vector<std::string_view>& sign_words() {
  static const auto kWords = [] {
    std::vector<std::string_view> out;
    for (const auto& sign : all_signs()) out.push_back(sign.name);
    return out;
  }();
  return kWords;
}

void push_message_signs(lua_State* lua, const MessageSigns& signs) {
  lua_newtable(lua);
  for (const auto& sign : all_signs()) {
    double value = signs.value(sign.name).value_or(0);
    if (value == 0) continue;
    push(lua, sign.name);
    if (is_number(sign.kind)) lua_pushnumber(lua, value);
    else lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
  }
  freeze_over(lua, "mail.signs", not_seen);
}

}  // namespace postern::filters::lua
