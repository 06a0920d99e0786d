// One Lua state: threads that are used again, handles, answers.
#include "filters/lua/state.h"

#include <lua.hpp>

#include <new>

#include "filters/lua/bind.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr int kHookEvery = 256;                       // instructions; about a microsecond
constexpr std::size_t kIdleRuns = 64;

int panic(lua_State* lua) {
  const char* what = lua_tostring(lua, -1);
  check_failed(what != nullptr ? what : "Lua error outside of a protected call", __FILE__, __LINE__);
}

// "rules/x.lua:3: text" -> "text"
std::string without_place(std::string_view message) {
  auto colon = message.find(".lua:");
  if (colon == std::string_view::npos || message.substr(0, colon).find(' ') != std::string_view::npos) return std::string(message);
  std::size_t at = colon + 5;
  while (at < message.size() && is_digit(message[at])) ++at;
  if (message.substr(at, 2) != ": ") return std::string(message);
  return std::string(message.substr(at + 2));
}

std::string place_in(std::string_view message) {
  auto rest = without_place(message);
  return rest.size() + 2 <= message.size() ? std::string(message.substr(0, message.size() - rest.size() - 2)) : "";
}

}  // namespace

State::State(std::shared_ptr<const Generation> generation) : generation_(std::move(generation)) {
  main_ = lua_newstate(&State::allocate, this);
  CHECK(main_ != nullptr);
  lua_atpanic(main_, panic);
  main_run_.state = this;
  main_run_.thread = main_;
  *static_cast<Running**>(lua_getextraspace(main_)) = &main_run_;
  lua_sethook(main_, &State::count_hook, LUA_MASKCOUNT, kHookEvery);  // threads inherit it
}

State::~State() {
  if (main_ != nullptr) lua_close(main_);
}

Running& State::running(lua_State* lua) { return **static_cast<Running**>(lua_getextraspace(lua)); }

// --- runs

Running* State::new_running() {
  if (!idle_.empty()) {
    Running* run = idle_.back();
    idle_.pop_back();
    return run;
  }
  auto made = std::make_unique<Running>();
  made->state = this;
  made->thread = lua_newthread(main_);
  made->anchor = luaL_ref(main_, LUA_REGISTRYINDEX);
  *static_cast<Running**>(lua_getextraspace(made->thread)) = made.get();
  runs_.push_back(std::move(made));
  return runs_.back().get();
}

namespace {

struct Beginning {
  State& state;
  std::size_t rule;
  Scene& scene;
  std::size_t recipient;
  Running* run = nullptr;
};

}  // namespace

// Makes thread and handles, for which Lua may find no memory.
int State::begin_run(lua_State* main) {
  auto& begin = *static_cast<Beginning*>(lua_touserdata(main, 1));
  State& state = begin.state;
  Scene& scene = begin.scene;
  const RuleInfo& rule = state.rules_[begin.rule];
  using smtp::Stage;
  bool of_recipient = rule.stage == Stage::rcpt || rule.stage == Stage::deliver;
  int handle = rule.stage == Stage::connect ? scene.connection_handle(main) : scene.mail_handle(main);
  int recipient = of_recipient ? scene.recipient_handle(main, begin.recipient) : 0;
  begin.run = state.new_running();
  lua_State* lua = begin.run->thread;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, rule.function);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, handle);
  if (of_recipient) lua_rawgeti(lua, LUA_REGISTRYINDEX, recipient);
  begin.run->arguments = of_recipient ? 2 : 1;
  return 0;
}

Running* State::start(std::size_t rule, Scene& scene, std::size_t recipient) {
  Beginning begin{*this, rule, scene, recipient};
  lua_pushcfunction(main_, begin_run);
  lua_pushlightuserdata(main_, &begin);
  if (lua_pcall(main_, 1, 0, 0) != LUA_OK) {
    lua_pop(main_, 1);
    throw std::bad_alloc();  // ends the session, not the gateway
  }
  Running* run = begin.run;
  run->rule = &rules_[rule];
  run->index = rule;
  run->scene = &scene;
  run->recipient = recipient;
  run->cpu_limit = generation_->budgets().cpu;
  run->memory_limit = generation_->budgets().memory;
  run->serial = next_serial_++;
  return run;
}

State::Step State::resume(Running& run) {
  int arguments = std::exchange(run.arguments, 0);
  begin_slice(run);
  int status = lua_resume(run.thread, main_, arguments, &run.results);
  end_slice(run);
  if (status == LUA_YIELD) {
    lua_pop(run.thread, run.results);
    CHECK(run.pending.valid());
    return Step::waiting;
  }
  run.reusable = status == LUA_OK && !run.stopped;
  if (status == LUA_OK) return Step::ended;
  if (status < 0) stop(run, "a function of the rule language failed");  // an exception that was none of Lua's
  must_rethrow(run, status);  // says why, when it was a matter of memory
  return Step::failed;
}

std::string State::place(lua_State* lua) {
  lua_Debug frame{};
  std::string ours;
  for (int level = 0; level < 200 && lua_getstack(lua, level, &frame) != 0; ++level) {
    lua_getinfo(lua, "Sl", &frame);
    if (frame.currentline <= 0) continue;
    std::string_view source(frame.short_src);
    if (source.starts_with("rules/")) return std::string(source) + ":" + std::to_string(frame.currentline);
    if (ours.empty() && source.starts_with("scripts/")) ours = std::string(source) + ":" + std::to_string(frame.currentline);
  }
  return ours;
}

Answer State::answer(Running& run, Step step) {
  Answer out;
  out.rule = run.index;
  out.took = run.cpu_used;
  lua_State* lua = run.thread;
  auto fail = [&out](std::string at, std::string what) {
    out.failed = true;
    out.at = std::move(at);
    out.what = std::move(what);
    out.spoken.clear();
    return out;
  };
  if (step != Step::ended) {
    std::string message;
    if (run.stopped) {
      message = run.stop_reason;
    } else if (lua_type(lua, -1) == LUA_TSTRING) {
      message = lua_tostring(lua, -1);
    } else {
      message = std::string("the rule raised an error that is a ") + luaL_typename(lua, -1) + ", not a text";
    }
    out.blameless = run.state_full;
    std::string at = place(lua);
    if (at.empty()) at = place_in(message);
    if (at.empty()) at = run.rule->at();
    return fail(at, printable(without_place(message), 500));
  }

  std::vector<bool> returned(run.made.size(), false);
  for (int index = lua_gettop(lua) - run.results + 1; index <= lua_gettop(lua); ++index) {
    if (lua_isnil(lua, index)) continue;
    auto* token = static_cast<std::uint64_t*>(luaL_testudata(lua, index, kVerdict));
    if (token == nullptr) {
      return fail(run.rule->file + ":" + std::to_string(run.rule->check_line),
                  std::string("the check returned a ") + luaL_typename(lua, index) +
                      "; it returns a verdict, like score(3, \"why\") or reject \"why\", or nothing");
    }
    if (token[0] != run.serial || token[1] >= run.made.size()) {
      return fail(run.rule->file + ":" + std::to_string(run.rule->check_line), "the check returned the verdict of an earlier run");
    }
    if (returned[token[1]]) continue;
    returned[token[1]] = true;
    const Spoken& spoken = run.made[token[1]];
    if (!allowed(spoken.word, run.rule->stage)) {
      return fail(spoken.at, std::string(name(spoken.word)) + " is no verdict of stage " + std::string(smtp::name(run.rule->stage)) +
                                 ", which takes " + allowed_words(run.rule->stage));
    }
    out.spoken.push_back(spoken);
  }
  for (std::size_t i = 0; i < returned.size(); ++i) {
    if (returned[i]) continue;
    const Spoken& lost = run.made[i];
    return fail(lost.at, std::string("the verdict ") + std::string(name(lost.word)) + " was made here and not returned: write return " +
                             std::string(name(lost.word)) + "(...)");
  }
  out.effects = std::move(run.effects);
  return out;
}

void State::finish(Running* run) {
  // Only a thread whose last run came to its end is sound: Lua forgets to allow hooks again when our hook
  // raised the error, and resetting the thread does not mend that.  A bomb behind it would have no limit.
  if (!run->reusable || idle_.size() >= kIdleRuns) {
    luaL_unref(main_, LUA_REGISTRYINDEX, run->anchor);
    std::erase_if(runs_, [run](const auto& kept) { return kept.get() == run; });
    return;
  }
  lua_settop(run->thread, 0);
  run->rule = nullptr;
  run->scene = nullptr;
  run->cpu_used = {};
  run->measured = false;
  run->memory = 0;
  run->steps = 0;
  run->log_lines = 0;
  run->reusable = false;
  run->made.clear();
  run->effects.clear();
  run->listings.clear();
  run->serial = 0;
  idle_.push_back(run);
}

// --- for scenes and tests

Handle* State::make_handle(lua_State* lua, const char* metatable, Scene& scene, std::size_t recipient, int& reference) {
  luaL_checkstack(lua, 4, metatable);
  auto* handle = static_cast<Handle*>(lua_newuserdatauv(lua, sizeof(Handle), 1));
  handle->scene = &scene;
  handle->recipient = recipient;
  luaL_setmetatable(lua, metatable);
  lua_newtable(lua);  // what was read once: see index() in bind_handles.cc
  lua_setiuservalue(lua, -2, 1);
  reference = luaL_ref(lua, LUA_REGISTRYINDEX);
  return handle;
}

void State::drop_reference(int reference) { luaL_unref(main_, LUA_REGISTRYINDEX, reference); }

bool State::protect(const std::function<void(lua_State*)>& work, std::string& problem) {
  auto call = [](lua_State* lua) -> int {
    auto* job = static_cast<const std::function<void(lua_State*)>*>(lua_touserdata(lua, 1));
    lua_settop(lua, 0);
    (*job)(lua);
    return 0;
  };
  lua_pushcfunction(main_, call);
  lua_pushlightuserdata(main_, const_cast<std::function<void(lua_State*)>*>(&work));
  int status = lua_pcall(main_, 1, 0, 0);
  if (status == LUA_OK) return true;
  const char* text = lua_tostring(main_, -1);
  problem = text != nullptr ? text : "an error that is no text";
  if (status == LUA_ERRMEM && must_rethrow(main_run_, status)) problem = main_run_.stop_reason;
  lua_pop(main_, 1);
  return false;
}

}  // namespace postern::filters::lua
