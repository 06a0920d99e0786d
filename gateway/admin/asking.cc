// From the command line to an answer and an exit status.
#include "gateway/admin/asking.h"

#include <nlohmann/json.hpp>

#include "gateway/admin/output.h"

namespace postern::admin {

using nlohmann::json;

std::optional<config::Config> configuration(const Global& global) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return std::nullopt;
  return std::move(loaded.config);
}

int finish(const Global& global, const json& answer) {
  bool ok = answer.value("ok", false);
  if (!ok && !global.json) complain(answer.value("error", "it did not succeed"));
  if (!ok && global.json) print_json(answer);
  return ok ? 0 : 1;
}

std::string tame(std::string text) {
  std::erase(text, '\r');
  for (char& c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  }
  return text;
}

}  // namespace postern::admin
