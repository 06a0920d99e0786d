// alias, forward: what is asked of the running server, or of the store when none runs.
#include <nlohmann/json.hpp>

#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::admin {
namespace {

using nlohmann::json;

std::string words_of(const json& value) {
  return value.is_array() ? join(value.get<std::vector<std::string>>(), " ") : value.is_boolean() ? value.dump() : value.get<std::string>();
}

// An alias may have a thousand targets: no table holds them.
void print_rows(const json& rows, const std::vector<std::string>& columns) {
  for (const auto& row : rows) {
    std::string out;
    for (const auto& column : columns) {
      if (!row.contains(column) || row[column].empty()) continue;
      out += out.empty() ? words_of(row[column]) + "\n" : "    " + column + ": " + words_of(row[column]) + "\n";
    }
    print(out);
  }
}

// Asks, and prints these members of the rows, or, without --json, nothing.
int ask(const Global& global, const json& request, const std::vector<std::string>& columns) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  auto answer = run_anywhere(loaded.config, request);
  bool ok = answer.value("ok", false);
  if (!ok && !global.json) complain(answer.value("error", "it did not succeed"));
  if (!ok && global.json) print_json(answer);
  if (!ok) return 1;
  if (!global.json) {
    auto rows = answer.value("rows", json::array());
    if (rows.empty() && !columns.empty()) print("There is none.\n");
    print_rows(rows, columns);
  } else if (columns.empty()) {
    print_json({{"address", answer["address"]}});
  } else {
    for (const auto& row : answer["rows"]) print_json(row);
  }
  return 0;
}

}  // namespace

int alias_command(const Global& global, const AliasArguments& arguments) {
  json request{{"command", "alias " + arguments.action}, {"address", arguments.address}, {"targets", arguments.targets}};
  std::vector<std::string> columns;
  if (arguments.action == "list") columns = {"alias", "targets"};
  if (arguments.action == "show") columns = {"alias", "targets", "reaches", "named_by", "lost"};
  return ask(global, request, columns);
}

int forward_command(const Global& global, const ForwardArguments& arguments) {
  json request{{"command", "forward " + arguments.action}, {"address", arguments.address}, {"targets", arguments.targets}, {"keep", arguments.keep}};
  std::vector<std::string> columns;
  if (arguments.action == "list") columns = {"account", "targets", "keep"};
  return ask(global, request, columns);
}

}  // namespace postern::admin
