// The order in which answers are read; design 6, "Rule order".
#include "filters/edition.h"

#include <algorithm>
#include <tuple>

namespace postern::filters {
namespace {

std::vector<bool> required_ones(const std::vector<lua::RuleInfo>& rules) {
  std::vector<bool> out;
  for (const auto& rule : rules) out.push_back(rule.required);
  return out;
}

}  // namespace

Edition::Edition(std::shared_ptr<const lua::Generation> from, std::vector<lua::RuleInfo> loaded)
    : generation(std::move(from)), rules(std::move(loaded)), health(required_ones(rules)) {
  for (const auto* file : generation->own_files()) names_virus = names_virus || file->text.find("virus") != std::string::npos;
  for (std::size_t i = 0; i < rules.size(); ++i) order[static_cast<std::size_t>(rules[i].stage)].push_back(i);
  for (auto& stage : order) {
    std::sort(stage.begin(), stage.end(), [this](std::size_t a, std::size_t b) {
      const auto& left = rules[a];
      const auto& right = rules[b];
      return std::tuple(!left.required, std::string_view(left.file), left.line, a) <
             std::tuple(!right.required, std::string_view(right.file), right.line, b);
    });
  }
}

}  // namespace postern::filters
