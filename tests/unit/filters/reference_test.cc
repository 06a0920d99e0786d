// The reference of the rule language: nothing is left out of it, and what it shows works.
#include "filters/lua/reference.h"

#include <unistd.h>

#include <set>

#include <lua.hpp>

#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

// The globals.
std::set<std::string> names_that_rules_find() {
  RuleBench bench("");
  std::set<std::string> out;
  std::string problem;
  bench.state->protect(
      [&out](lua_State* lua) {
        lua_getfield(lua, LUA_REGISTRYINDEX, lua::kGlobals);
        for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) out.insert(lua_tostring(lua, -2));
      },
      problem);
  REQUIRE(problem.empty());
  return out;
}

// A folder of rules with the shipped lists.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("postern-reference-" + std::to_string(::getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
    fs::copy(source_folder() / "rules/lists", path / "lists", fs::copy_options::recursive);
  }
  ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("every name that rules find is in the reference, and none that they do not") {
  std::set<std::string> documented;
  for (const auto& tool : lua::tool_infos()) {
    documented.insert(std::string(tool.name.substr(0, tool.name.find('.'))));
    CHECK(tool.usage.substr(0, tool.name.size()) == tool.name);
    CHECK(tool.about.ends_with("."));
  }
  for (const char* lua : {"assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "pcall", "rawequal", "rawlen", "select", "setmetatable",
                          "string", "table", "tonumber", "tostring", "type", "utf8", "xpcall"}) {
    documented.insert(lua);
  }
  CHECK(names_that_rules_find() == documented);
}

TEST_CASE("each question to DNS that is described can be asked") {
  for (const auto& tool : lua::tool_infos()) {
    if (!tool.name.starts_with("dns.")) continue;
    INFO(tool.name);
    RuleBench bench("rule \"r\" { on = \"connect\", check = function() return score(1, type(" + std::string(tool.name) + ")) end }\n");
    bench.connect();
    bench.mail();
    CHECK(bench.message().score == 1);
  }
}

TEST_CASE("every field has a sentence") {
  auto reference = lua::rules_reference();
  for (const char* handle : {"conn", "mail", "rcpt"}) {
    for (const auto& field : lua::field_infos(handle)) {
      INFO(handle << "." << field.name);
      CHECK(field.about.ends_with("."));
      CHECK(reference.find("| `" + std::string(field.name) + "` | ") != std::string::npos);
    }
  }
  for (const auto* all : {&lua::fact_infos(), &lua::entry_infos()}) {
    for (const auto& fact : *all) {
      INFO(fact.path);
      CHECK(reference.find(std::string(fact.path) + "\n") != std::string::npos);
      for (const auto& field : fact.fields) CHECK(field.about.ends_with("."));
    }
  }
}

TEST_CASE("every example loads alone and passes its tests") {
  std::set<std::string_view> files;
  for (const auto& example : lua::rule_examples()) {
    INFO(example.title);
    CHECK(files.insert(example.file).second);
    Folder folder;
    std::ofstream(folder.path / example.file) << example.text;
    LoadOptions options;
    options.rules = folder.path;
    options.scripts = source_folder() / "scripts";
    auto report = load_rules(options);
    for (const auto& mistake : report.mistakes) UNSCOPED_INFO(mistake.text());
    for (const auto& failed : report.failed_tests) UNSCOPED_INFO(failed.test << ": " << failed.mistake.what);
    CHECK(report.good());
    CHECK(report.rules >= 1);
    CHECK(report.tests >= 1);
  }
}
