// `postern why` and `postern trace`.
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/moment.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/admin/trace_words.h"
#include "gateway/base/text.h"

namespace postern::admin {

using nlohmann::json;

namespace {

// The rows as a table: who sent, in words that fit a line.
void print_lines(const Global& global, json rows) {
  if (global.json) {
    for (const auto& row : rows) print_json(row);
    return;
  }
  for (auto& row : rows) {
    auto to = row["to"].is_array() && !row["to"].empty() ? row["to"][0].get<std::string>() : std::string();
    auto all = row.value("recipients", std::uint64_t{0});
    row["to"] = to + (all > 1 ? " +" + std::to_string(all - 1) : "");
    if (row.value("subject", "").empty() && row.value("what", "") == "session") row["subject"] = row.value("reply", "");
    if (row.value("from", "").empty()) row["from"] = "<>";
  }
  print_table({"time", "id", "verdict", "from", "to", "subject", "ip"}, rows);
}

// False: it is no time; that was said.
bool take_moment(json& request, const char* name, const std::string& text) {
  if (text.empty()) return true;
  auto moment = parse_moment(text, Clock::system().now());
  if (!moment) {
    complain(std::string("--") + name + " " + printable(text, 60) + ": " + moment.error().text);
    return false;
  }
  request[name] = std::chrono::duration_cast<std::chrono::milliseconds>(moment->time_since_epoch()).count();
  return true;
}

}  // namespace

int why_command(const Global& global, const std::string& id) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, {{"command", "why"}, {"id", id}});
  if (int status = finish(global, answer); status != 0) return status;
  answer.erase("ok");
  if (answer.contains("lines")) {
    if (!global.json) print("Several messages bear this Message-ID:\n");
    print_lines(global, answer["lines"]);
  } else if (global.json) {
    print_json(answer);
  } else {
    print(why_in_words(answer));
  }
  return 0;
}

int trace_command(const Global& global, const TraceArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  json request{{"command", "trace"}, {"from", arguments.from}, {"to", arguments.to}, {"subject", arguments.subject}, {"ip", arguments.ip},
               {"message_id", arguments.message_id}, {"limit", arguments.limit}};
  if (!take_moment(request, "since", arguments.since) || !take_moment(request, "until", arguments.until)) return 2;
  auto answer = run_anywhere(*config, request);
  if (int status = finish(global, answer); status != 0) return status;
  print_lines(global, answer["rows"]);
  if (answer.value("more", false)) complain("there are more; --limit or --until shows them");
  if (answer.contains("looked_back_to")) {
    complain("too much fits: looked back to " + answer["looked_back_to"].get<std::string>() + " only; ask for less, or with --until for what is older");
  }
  return 0;
}

}  // namespace postern::admin
