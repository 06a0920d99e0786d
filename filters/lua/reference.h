#pragma once

#include <span>
#include <string>
#include <string_view>

namespace postern::filters::lua {

// The reference of the rule language as Markdown: stages, verdicts, facts, tools and examples, from the tables that the
// bindings themselves are made of, so that nothing in it is out of date.
std::string rules_reference();

// A name that rules find without asking for it.
struct ToolInfo {
  std::string_view name;    // "dns.a"
  std::string_view usage;   // "dns.a(name)"
  std::string_view about;   // sentences
};
// All but those of Lua itself.
std::span<const ToolInfo> tool_infos();

// A rule file with its tests, complete in itself.
struct RuleExample {
  std::string_view title;
  std::string_view file;    // "60-own.lua"
  std::string_view text;
};
std::span<const RuleExample> rule_examples();

}  // namespace postern::filters::lua
