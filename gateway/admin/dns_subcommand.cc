// What `postern dns` prints.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// A zone file, with what each record is for as a comment.
void print_wanted(const json& row) {
  auto about = row.value("about", "");
  if (row.value("type", "") == "file") {
    print("; " + row.value("name", "") + "\n; " + about + ":\n");
    auto value = row.value("value", "");
    for (auto line : split(value, '\n')) {
      if (!trimmed(line).empty()) print(";     " + std::string(trimmed(line)) + "\n");
    }
  } else if (row.value("value", "").empty()) {
    print("; " + about + (row.value("name", "").empty() ? "" : ": " + row.value("name", "") + " IN " + row.value("type", "")) + "\n");
  } else {
    print("; " + row.value("record", "") + ": " + about + (row.value("needed", false) ? "" : "  (optional)") + "\n" + row.value("zone", "") + "\n");
  }
  print("\n");
}

void print_checked(const json& row) {
  auto state = row.value("state", "");
  auto label = row.value("record", "");
  state.resize(std::max<std::size_t>(state.size(), 9), ' ');
  label.resize(std::max<std::size_t>(label.size(), 7), ' ');
  print(state + "  " + label + "  " + row.value("name", "") + (row.value("needed", false) ? "" : "  (optional)") + "\n");
  for (const auto& found : row["found"]) {
    if (row.value("state", "") != "ok") print("             found: " + found.get<std::string>() + "\n");
  }
  if (auto advice = row.value("advice", ""); !advice.empty()) print("             " + advice + "\n");
}

}  // namespace

int dns_command(const Global& global, const DnsArguments& arguments) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  auto answer = run_anywhere(loaded.config, {{"command", "dns"}, {"domain", arguments.domain}, {"check", arguments.check}});
  if (!answer.value("ok", false)) {
    if (global.json) print_json(answer);
    else complain(answer.value("error", "it did not succeed"));
    return 1;
  }
  for (const auto& row : answer["rows"]) {
    if (global.json) print_json(row);
    else if (arguments.check) print_checked(row);
    else print_wanted(row);
  }
  auto wrong = answer.value("wrong", std::size_t{0});
  if (!global.json && arguments.check) {
    print(wrong == 0 ? "\nAll that is needed is there.\n" : "\n" + std::to_string(wrong) + " of what is needed " + (wrong == 1 ? "is" : "are") +
                                                               " not right; `postern dns " + arguments.domain + "` prints the records.\n");
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace postern::admin
