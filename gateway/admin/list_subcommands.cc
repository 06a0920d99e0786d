// list: what is asked of the running server, or of the store when none runs.
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using nlohmann::json;

std::string words_of(const json& value) {
  if (value.is_array()) return join(value.get<std::vector<std::string>>(), " ");
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// A list may have two thousand members: no table holds them.
void print_list(const json& row) {
  std::string out = row["list"].get<std::string>() + "\n";
  for (const char* column : {"name", "owners", "moderators", "post", "subscription", "archive", "reply_to", "prefix", "bounces", "folder"}) {
    if (row[column].empty() || row[column] == "") continue;
    out += "    " + std::string(column) + ": " + words_of(row[column]) + "\n";
  }
  if (!row["members"].is_array()) {
    print(out + "    members: " + words_of(row["members"]) + "\n");
    return;
  }
  out += "    members:\n";
  for (const auto& member : row["members"]) {
    out += "        " + member["address"].get<std::string>();
    if (member.contains("suspended")) out += "  (gets nothing: " + member["suspended"].get<std::string>() + ")";
    else if (!member["mail"].get<bool>()) out += "  (without mail)";
    out += "\n";
  }
  print(out);
}

}  // namespace

int list_command(const Global& global, const ListArguments& arguments) {
  json request{{"command", "list " + arguments.action}, {"address", arguments.address}, {"members", arguments.members}, {"mail", !arguments.no_mail}};
  if (!arguments.owners.empty()) request["owners"] = arguments.owners;
  if (!arguments.moderators.empty()) request["moderators"] = arguments.moderators;
  for (const auto& [name, value] : {std::pair{"post", &arguments.post}, {"subscription", &arguments.subscription}, {"archive", &arguments.archive},
                                    {"reply_to", &arguments.reply_to}, {"prefix", &arguments.prefix}, {"name", &arguments.name}}) {
    if (value->has_value()) request[name] = **value;
  }
  if (arguments.bounces) request["bounces"] = *arguments.bounces;
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, request);
  if (int status = finish(global, answer); status != 0) return status;
  bool prints = answer.contains("rows");
  if (!prints && global.json) print_json({{"address", answer["address"]}});
  for (const auto& row : answer.value("rows", json::array())) {
    if (global.json) print_json(row);
    else print_list(row);
  }
  return 0;
}

}  // namespace postern::admin
