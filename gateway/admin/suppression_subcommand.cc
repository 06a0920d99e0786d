// `postern suppression`.
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"

namespace postern::admin {

using nlohmann::json;

int suppression_command(const Global& global, const SuppressionArguments& arguments) {
  constexpr std::int64_t kLongest = 100LL * 366 * 24 * 3'600'000;
  auto config = configuration(global);
  if (!config) return 2;
  json request{{"command", "suppression " + arguments.action}, {"address", arguments.address}, {"user", arguments.user}, {"reason", arguments.reason}};
  auto length = arguments.length.empty() ? std::optional<std::int64_t>(0) : parse_milliseconds(arguments.length);
  if (!length || *length > kLongest || (*length == 0 && !arguments.length.empty())) {
    complain("--for " + arguments.length + ": no time such as \"30d\" or \"12h\"");
    return 2;
  }
  request["for"] = *length;
  auto answer = run_anywhere(*config, request);
  if (int status = finish(global, answer); status != 0) return status;
  if (!answer.contains("rows")) {
    answer.erase("ok");
    if (global.json) print_json(answer);
    return 0;
  }
  if (global.json) {
    for (const auto& row : answer["rows"]) print_json(row);
  } else {
    print_table({"address", "user", "cause", "since", "until", "words"}, answer["rows"]);
  }
  return 0;
}

}  // namespace postern::admin
