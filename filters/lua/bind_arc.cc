// mail.arc, and whether a sealer that we trust excuses what DMARC found.
#include "filters/arc_rescue.h"
#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"

namespace postern::filters::lua {
namespace {

// Whom of the chain's sealers the list at `index` has.  Asking it is noted with the message, as any question to a list.
TrustedSealers trusted_of(lua_State* lua, int index, const Arc& arc) {
  TrustedSealers out;
  for (const auto& set : arc.sets) {
    push(lua, set.domain);
    lua_gettable(lua, index);
    if (lua_toboolean(lua, -1) != 0) out.push_back(set.domain);
    lua_pop(lua, 1);
  }
  return out;
}

// mail.arc.rescued_by(list): the sealer and why; or nil and why not.  RFC 8617 7.2.1.
int rescued_by(lua_State* lua) {
  if (lua_type(lua, 1) != LUA_TUSERDATA) raise(lua, "mail.arc.rescued_by(list): the list of sealers whose word we take, local sealers = list \"lists/sealers.txt\"");
  Running& run = check_run(lua, "mail.arc.rescued_by");
  const Arc* arc = run.scene->arc;
  const Dmarc* dmarc = run.scene->dmarc;
  if (arc == nullptr || dmarc == nullptr) raise(lua, "mail.arc.rescued_by(list) needs mail.dmarc: read it before");
  ArcAuthor author{dmarc->domain, dmarc->only_author, dmarc->strict_spf, dmarc->strict_dkim};
  auto rescue = rescue_by_arc(*arc, trusted_of(lua, 1, *arc), author);
  if (rescue.rescued) push(lua, rescue.sealer);
  else lua_pushnil(lua);
  push(lua, rescue.reason);
  return 2;
}

}  // namespace

io::Task<void> fetch_arc(Scene& scene) {
  const Arc* found = co_await scene.message->arc();
  scene.arc = found;
}

void push_arc(lua_State* lua, const Arc& arc) {
  lua_newtable(lua);
  push(lua, name(arc.result));
  lua_setfield(lua, -2, "result");
  push(lua, arc.problem);
  lua_setfield(lua, -2, "problem");
  lua_pushinteger(lua, static_cast<lua_Integer>(arc.oldest_pass));
  lua_setfield(lua, -2, "oldest_pass");
  std::vector<std::string> sealers;
  for (const auto& set : arc.sets) sealers.push_back(set.domain);
  push_list(lua, sealers, "mail.arc.sealers");
  lua_setfield(lua, -2, "sealers");
  lua_pushcfunction(lua, rescued_by);
  lua_setfield(lua, -2, "rescued_by");
  freeze(lua, "mail.arc", {});
}

}  // namespace postern::filters::lua
