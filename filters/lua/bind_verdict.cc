// score, tag, accept, defer, quarantine, reject, redirect, journal: verdicts are values that a rule returns.
#include <cmath>

#include "filters/lua/bind.h"
#include "filters/lua/utf8.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr double kMaxPoints = 1000;
constexpr std::size_t kMaxWhy = 400;
constexpr std::size_t kMaxMade = 100;

// A reason stands in a header, a log line and perhaps an SMTP reply: one line of text.
std::string reason(lua_State* lua, int index, const char* usage) {
  if (lua_type(lua, index) != LUA_TSTRING || trimmed(view(lua, index)).empty()) {
    raise(lua, std::string("a verdict needs a reason for humans: ") + usage);
  }
  std::string out = well_formed(trimmed(view(lua, index)).substr(0, kMaxWhy + 3));
  if (out.size() > kMaxWhy) out.resize(kMaxWhy);
  while (!is_utf8(out)) out.pop_back();  // cut inside a character
  for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

int make(lua_State* lua, Spoken spoken) {
  Running& run = check_run(lua, std::string(name(spoken.word)).c_str());
  if (run.made.size() >= kMaxMade) raise(lua, "more than 100 verdicts in one run");
  spoken.at = State::place(lua);
  run.made.push_back(std::move(spoken));
  auto* token = static_cast<std::uint64_t*>(lua_newuserdatauv(lua, 2 * sizeof(std::uint64_t), 0));
  token[0] = run.serial;
  token[1] = run.made.size() - 1;
  luaL_setmetatable(lua, kVerdict);
  return 1;
}

int score(lua_State* lua) {
  if (lua_type(lua, 1) != LUA_TNUMBER || !std::isfinite(lua_tonumber(lua, 1)) || std::fabs(lua_tonumber(lua, 1)) > kMaxPoints) {
    raise(lua, "score(points, \"why\"): points is a number between -1000 and 1000");
  }
  Spoken spoken;
  spoken.word = Word::score;
  spoken.points = lua_tonumber(lua, 1);
  spoken.why = reason(lua, 2, "score(3, \"why\")");
  return make(lua, std::move(spoken));
}

int tag(lua_State* lua) {
  if (lua_type(lua, 1) != LUA_TSTRING || view(lua, 1).empty() || view(lua, 1).size() > 200 || !is_utf8(view(lua, 1))) {
    raise(lua, "tag(folder, \"why\"): folder is a name like \"Junk\"");
  }
  Spoken spoken;
  spoken.word = Word::tag;
  spoken.argument = view(lua, 1);
  spoken.why = reason(lua, 2, "tag(\"Junk\", \"why\")");
  return make(lua, std::move(spoken));
}

int quarantine(lua_State* lua) {
  Spoken spoken;
  spoken.word = Word::quarantine;
  spoken.why = reason(lua, 1, "quarantine(\"why\", \"spam\")");
  spoken.argument = luaL_optstring(lua, 2, "spam");
  if (spoken.argument != "spam" && spoken.argument != "virus" && spoken.argument != "policy") {
    raise(lua, "quarantine(\"why\", class): class is \"spam\", \"virus\" or \"policy\", not \"" + printable(spoken.argument, 40) + "\"");
  }
  return make(lua, std::move(spoken));
}

// redirect and journal.
template <Word word>
int to_address(lua_State* lua) {
  std::string call(name(word));
  if (lua_type(lua, 1) != LUA_TSTRING || view(lua, 1).find('@') == std::string_view::npos || view(lua, 1).size() > 254 ||
      view(lua, 1).find_first_of(" \t\r\n<>") != std::string_view::npos) {
    raise(lua, call + "(address, \"why\"): address is like \"anna@example.org\"");
  }
  Spoken spoken;
  spoken.word = word;
  spoken.argument = view(lua, 1);
  call += "(\"anna@example.org\", \"why\")";
  spoken.why = reason(lua, 2, call.c_str());
  return make(lua, std::move(spoken));
}

template <Word word>
int plain(lua_State* lua) {
  Spoken spoken;
  spoken.word = word;
  std::string usage = std::string(name(word)) + " \"why\"";
  spoken.why = reason(lua, 1, usage.c_str());
  return make(lua, std::move(spoken));
}

int verdict_text(lua_State* lua) {
  auto* token = static_cast<std::uint64_t*>(luaL_checkudata(lua, 1, kVerdict));
  Running& run = State::running(lua);
  bool mine = token[0] == run.serial && token[1] < run.made.size();
  push(lua, mine ? std::string(name(run.made[token[1]].word)) + ": " + run.made[token[1]].why : "a verdict");
  return 1;
}

int verdict_field(lua_State* lua) {
  luaL_checkudata(lua, 1, kVerdict);
  raise(lua, "a verdict has no fields; it is made to be returned");
}

}  // namespace

void open_verdicts(lua_State* lua) {
  luaL_newmetatable(lua, kVerdict);
  lua_pushcfunction(lua, verdict_text);
  lua_setfield(lua, -2, "__tostring");
  lua_pushcfunction(lua, verdict_field);
  lua_setfield(lua, -2, "__index");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
  const std::pair<const char*, lua_CFunction> words[] = {
      {"score", score}, {"tag", tag}, {"quarantine", quarantine}, {"redirect", to_address<Word::redirect>}, {"journal", to_address<Word::journal>},
      {"accept", plain<Word::accept>}, {"defer", plain<Word::defer>}, {"reject", plain<Word::reject>}};
  for (auto [word, function] : words) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, word);
  }
}

}  // namespace postern::filters::lua
