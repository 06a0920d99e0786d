#pragma once

#include <array>
#include <memory>
#include <vector>

#include "filters/lua/generation.h"
#include "filters/lua/state.h"
#include "filters/rule_health.h"

namespace postern::filters {

// One rule set as it is in force: its text, its rules, their health.
struct Edition {
  Edition(std::shared_ptr<const lua::Generation> from, std::vector<lua::RuleInfo> loaded);

  std::shared_ptr<const lua::Generation> generation;
  std::vector<lua::RuleInfo> rules;
  // Indices by stage in reading order: required ones first, then by file and line.
  std::array<std::vector<std::size_t>, 6> order;
  mutable RuleHealth health;
  // Whether a rule file names the virus fact, so that a scan is worth starting before a rule asks.
  bool names_virus = false;

  const std::vector<std::size_t>& at(smtp::Stage stage) const { return order[static_cast<std::size_t>(stage)]; }
};

}  // namespace postern::filters
