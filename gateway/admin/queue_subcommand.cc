// `postern queue`: what is asked, page by page, and how it is printed.
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using nlohmann::json;

std::string recipient_line(const json& recipient, bool all) {
  auto words = recipient.value("why", "");
  std::string out = "      to " + printable(recipient.value("address", ""), 320) + (words.empty() ? "" : ": " + printable(words, 600)) + "\n";
  if (!all) return out;
  auto notify = recipient.value("notify", ""), orcpt = recipient.value("orcpt", "");
  if (!notify.empty()) out += "         NOTIFY=" + printable(notify, 40) + "\n";
  if (!orcpt.empty()) out += "         ORCPT=" + printable(orcpt, 600) + "\n";
  if (recipient.value("told_of_delay", false)) out += "         his sender was told of the delay\n";
  return out;
}

// One entry: what waits for whom, and why.  `all`: also what the list has no room for.
void print_queued(const json& row, bool all) {
  print(row.value("id", "") + "  " + row.value("message", "") + "  " + row.value("arrived", "") + "  " + row["size"].dump() + " octets  <" +
        printable(row.value("sender", ""), 320) + "> -> " + row.value("destination", "") + (row.value("held", false) ? "  HELD" : "") + "\n");
  auto why = row.value("why", "");
  if (!why.empty()) print("      " + printable(why, 600) + "\n");
  else print("      next attempt " + row.value("due", "") + ", " + row["attempts"].dump() + " made\n");
  for (const auto& recipient : row["recipients"]) print(recipient_line(recipient, all));
  if (!all) return;
  auto last = row.value("last_attempt", "");
  print("      " + row["attempts"].dump() + " attempts of its own" + (last.empty() ? "" : ", the last " + last) + ", the next " + row.value("due", "") +
        "; given up " + row.value("expires", "") + "\n");
  print(row.value("reports", false) ? "      its sender is known and gets reports\n" : "      its sender gets no reports: nothing shows who he is, or he is none\n");
  auto envid = row.value("envid", ""), ret = row.value("ret", "");
  if (!envid.empty()) print("      ENVID=" + printable(envid, 200) + "\n");
  if (!ret.empty()) print("      RET=" + printable(ret, 20) + "\n");
  print("\n" + tame(row.value("text", "")) + "\n");
  if (row.value("cut", false)) print("(cut)\n");
}

json request_of(const QueueArguments& arguments) {
  json out{{"command", "queue " + arguments.action}, {"to", arguments.to},     {"sender", arguments.from}, {"destination", arguments.destination},
           {"older", arguments.older},               {"held", arguments.held}, {"due", arguments.due}};
  bool all = arguments.ids.size() == 1 && arguments.ids.front() == "all";
  out["all"] = all;
  out["ids"] = all ? json::array() : json(arguments.ids);
  return out;
}

// Each page as it comes: a hundred thousand entries are not gathered first.
void print_rows(const Global& global, const QueueArguments& arguments, const json& rows) {
  for (const auto& row : rows) {
    if (global.json) print_json(row);
    else print_queued(row, arguments.action == "show");
  }
}

int print_summary(const Global& global, const json& answer) {
  if (global.json) {
    for (const auto& row : answer["rows"]) print_json(row);
    return 0;
  }
  if (answer["rows"].empty()) print("Nothing waits.\n");
  else print_table({"destination", "entries", "recipients", "octets", "held", "due", "oldest", "why"}, answer["rows"]);
  if (auto more = answer.value("left_out", 0); more != 0) print("and " + std::to_string(more) + " destinations with fewer\n");
  return 0;
}

void print_changed(const Global& global, const std::string& action, std::uint64_t changed) {
  if (global.json) {
    print_json({{"changed", changed}});
    return;
  }
  std::string many = std::to_string(changed) + (changed == 1 ? " entry" : " entries");
  if (action == "bounce") print(many + " given up; what comes of it is in the log (event=queue.failed)\n");
  else print(many + " changed\n");
}

}  // namespace

int queue_command(const Global& global, const QueueArguments& arguments) {
  bool filtered = arguments.held || arguments.due || !(arguments.to + arguments.from + arguments.destination + arguments.older).empty();
  bool changes = arguments.action != "list" && arguments.action != "summary" && arguments.action != "show";
  if (changes && arguments.ids.empty() == !filtered) {   // to change too much is the mistake that cannot be mended
    complain(filtered ? "name entries, or say which by a filter, not both" : "say which: ids, a filter such as --destination, or \"all\"");
    return 2;
  }
  auto config = configuration(global);
  if (!config) return 2;
  auto request = request_of(arguments);
  bool shows = arguments.action == "list" || arguments.action == "show";
  std::uint64_t changed = 0, shown = 0;
  for (bool more = true; more;) {
    auto answer = run_anywhere(*config, request);
    if (int status = finish(global, answer); status != 0) return status;
    if (arguments.action == "summary") return print_summary(global, answer);
    if (shows) print_rows(global, arguments, answer["rows"]);
    shown += answer["rows"].size();
    changed += answer.value("changed", std::uint64_t{0});
    more = answer.contains("next");
    if (more) request["from"] = answer["next"];
    if (answer.contains("before")) request["before"] = answer["before"];
  }
  if (!shows) print_changed(global, arguments.action, changed);
  else if (shown == 0 && !global.json) print("Nothing waits.\n");
  return 0;
}

}  // namespace postern::admin
