// What `postern dkim` prints.
#include <nlohmann/json.hpp>

#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/config/config.h"

namespace postern::admin {
namespace {

using nlohmann::json;

void print_records(const json& rows) {
  for (const auto& row : rows) print("\n" + row["record"].value("zone", "") + "\n");
}

void print_new(const std::string& domain, const json& rows) {
  print("Put into DNS:\n");
  print_records(rows);
  print("\nA panel that splits long texts by itself wants the text in one piece; `postern dkim show " + domain +
        "` has it.\nA key signs as soon as its record is seen in DNS, which a running server looks for every few minutes;\n`postern dkim check " +
        domain + "` looks at once.\n");
}

void print_key(const json& row) {
  const auto& record = row["record"];
  print(row.value("domain", "") + "  " + row.value("selector", "") + "  " + row.value("algorithm", "") + "  " + row.value("state", "") + " since " +
        row.value("since", "") + (row.value("forced", false) ? ", forced" : "") + "\n");
  if (auto problem = row.value("problem", ""); !problem.empty()) print("  " + problem + "\n");
  if (row.contains("until")) print("  keep its record until " + row.value("until", "") + "\n");
  print("  Name: " + record.value("name", "") + "\n  Type: TXT\n  Text: " + record.value("text", "") + "\n  In a zone file:\n  " +
        record.value("zone", "") + "\n\n");
}

}  // namespace

int dkim_command(const Global& global, const DkimArguments& arguments) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  auto answer = run_anywhere(loaded.config, {{"command", "dkim " + arguments.action}, {"domain", arguments.domain},
                                             {"selector", arguments.selector}, {"algorithm", arguments.algorithm}, {"force", arguments.force}});
  if (!answer.value("ok", false)) {
    if (global.json) print_json(answer);
    else complain(answer.value("error", "it did not succeed"));
    return 1;
  }
  const auto& rows = answer["rows"];
  if (global.json) {
    for (const auto& row : rows) print_json(row);
  } else if (arguments.action == "new" || arguments.action == "rotate") {
    print_new(arguments.domain, rows);
  } else if (arguments.action == "show") {
    for (const auto& row : rows) print_key(row);
  } else if (arguments.action == "remove") {
    print("Removed.  Its record can go from DNS:\n");
    for (const auto& row : rows) print("\n" + row["record"].value("name", "") + "\n");
  } else if (rows.empty()) {
    print("There is no DKIM key; `postern dkim new DOMAIN` makes them.\n");
  } else {
    print_table({"domain", "selector", "algorithm", "state", "since", "problem"}, rows);
  }
  return 0;
}

}  // namespace postern::admin
