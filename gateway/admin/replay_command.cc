// `postern replay`: what other rules would make of the mail that is kept.
#include <map>
#include <nlohmann/json.hpp>

#include "filters/evidence.h"
#include "filters/recorded_evidence.h"
#include "filters/replay.h"
#include "filters/rule_set.h"
#include "gateway/admin/asking.h"
#include "gateway/admin/conversation.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/moment.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::admin {
namespace {

using nlohmann::json;

struct Sums {
  std::uint64_t messages = 0, changed = 0, unknown = 0, failed = 0, untold = 0;
  json skipped = json::object();
  std::map<std::string, std::uint64_t> ways;   // "ham -> quarantine"
};

json line_of(const std::string& subject, const filters::Past& past, const filters::Replayed& now, bool changed) {
  json line{{"id", past.id}, {"time", rfc3339(past.when)}, {"subject", subject}, {"from", past.sender.address}, {"old", past.verdict},
            {"new", now.verdict}, {"changed", changed}, {"score", now.score}, {"rule", now.decided_by}, {"at", now.at}, {"why", now.why}};
  json recipients = json::object();
  for (const auto& [address, outcome] : now.outcomes) {
    auto before = past.outcomes.find(address);
    auto old = before != past.outcomes.end() ? before->second : "";
    if (old != outcome) recipients[address] = {{"old", old}, {"new", outcome}};
  }
  line["recipients"] = std::move(recipients);
  json begins = json::array(), ends = json::array();
  for (const auto& rule : now.rules) {
    if (!past.rules.contains(rule)) begins.push_back(rule);
  }
  for (const auto& rule : past.rules) {
    if (!now.rules.contains(rule)) ends.push_back(rule);
  }
  line["rules_that_speak"] = std::move(begins);
  line["rules_that_are_silent"] = std::move(ends);
  line["unknown"] = now.unknown;
  return line;
}

std::string words_of(const json& line) {
  auto text = [&](const char* name) { return line.value(name, ""); };
  std::string rule = text("rule").empty() ? "" : "  " + text("rule") + " (" + text("at") + "): " + text("why");
  std::string out = text("id") + "  " + text("old") + " -> " + text("new") + rule + "  \"" + text("subject") + "\"";
  if (text("old") == text("new")) {
    for (const auto& [address, change] : line["recipients"].items()) out += "  " + address + ": " + change.value("old", "") + " -> " + change.value("new", "");
  }
  if (!line["unknown"].empty()) {
    out += "  [unknown:";
    for (const auto& each : line["unknown"]) out += " " + each.get<std::string>() + ";";
    out.back() = ']';
  }
  return tame(out) + "\n";
}

class Replay {
 public:
  Replay(const Global& global, filters::Replayer& replayer, io::Loop& loop) : global_(global), replayer_(replayer), loop_(loop) {}

  void look_at(const json& row) {
    auto past = filters::read_past(row.value("id", ""), row.value("judged", ""));
    auto octets = from_base64(row.value("octets", ""));
    if (!past || !octets) {
      ++sums_.untold;
      return;
    }
    ++sums_.messages;
    auto now = loop_.block_on(replayer_.judge(*past, Octets(std::move(*octets))));
    bool changed = now.differs(*past);
    if (now.failed && !past->failed) ++sums_.failed;
    if (!now.unknown.empty()) ++sums_.unknown;
    if (!changed) return;
    ++sums_.changed;
    ++sums_.ways[past->verdict + " -> " + now.verdict];
    auto line = line_of(row.value("subject", ""), *past, now, changed);
    if (global_.json) print_json(line);
    else print(words_of(line));
  }

  void tell(const json& skipped) {
    auto untold = skipped.value("untold", std::uint64_t{0}) + sums_.untold;
    auto large = skipped.value("large", std::uint64_t{0}), damaged = skipped.value("damaged", std::uint64_t{0});
    if (global_.json) {
      print_json({{"messages", sums_.messages}, {"would_change", sums_.changed}, {"ways", sums_.ways}, {"with_unknown", sums_.unknown}, {"fail", sums_.failed},
                  {"skipped", {{"untold", untold}, {"large", large}, {"damaged", damaged}}}});
      return;
    }
    std::string ways;
    for (const auto& [way, count] : sums_.ways) ways += (ways.empty() ? ": " : ", ") + std::to_string(count) + " " + way;
    print(std::to_string(sums_.changed) + " of " + std::to_string(sums_.messages) + " messages would change" + ways + "\n");
    if (sums_.unknown != 0) print(std::to_string(sums_.unknown) + " of them asked what nobody asked then; it counted as no answer\n");
    if (sums_.failed != 0) print("on " + std::to_string(sums_.failed) + " a rule failed that did not fail then\n");
    if (untold + large + damaged != 0) {
      print("left out: " + std::to_string(untold) + " of which too little was written down, " + std::to_string(large) + " too large, " +
            std::to_string(damaged) + " that cannot be read\n");
    }
  }

 private:
  const Global& global_;
  filters::Replayer& replayer_;
  io::Loop& loop_;
  Sums sums_;
};

int walk(const config::Config& config, Time since, Replay& replay) {
  auto conversation = Conversation::begin(config);
  if (!conversation) {
    complain(conversation.error().text);
    return 1;
  }
  json request{{"command", "replay"}, {"since", std::chrono::duration_cast<std::chrono::milliseconds>(since.time_since_epoch()).count()}};
  for (;;) {
    auto page = conversation->ask(request);
    if (!page.value("ok", false)) {
      complain(page.value("error", "it did not succeed"));
      return 1;
    }
    for (const auto& row : page["rows"]) replay.look_at(row);
    if (page.value("done", true)) {
      replay.tell(page.value("skipped", json::object()));
      return 0;
    }
    request = {{"command", "replay next"}};
  }
}

}  // namespace

int replay_command(const Global& global, const ReplayArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  auto since = parse_moment(arguments.since, Clock::system().now());
  if (!since) {
    complain("--since " + printable(arguments.since, 60) + ": " + since.error().text);
    return 2;
  }
  log::set_level(log::Level::error);
  filters::RuleSet rules(Judging::rule_options(*config, arguments.rules));
  auto report = rules.reload();
  if (!report.good()) {
    for (const auto& mistake : report.mistakes) complain(mistake.text());
    for (const auto& failed : report.failed_tests) complain(failed.mistake.text());
    return 1;
  }
  auto edition = rules.current();
  auto state = rules.take_state(*edition);
  if (!state) {
    complain("the rules do not load");
    return 1;
  }
  io::Loop loop;
  // What the octets alone tell; nothing can be asked.
  filters::Recorded nothing;
  filters::RecordedResolver nobody(nothing);
  filters::EvidenceConfig inner_config;
  inner_config.hostname = config->hostname;
  filters::Evidence inner(nobody, nullptr, Clock::system(), std::move(inner_config), {});
  filters::Replayer replayer(std::move(edition), std::move(state), inner, config->hostname);
  Replay replay(global, replayer, loop);
  return walk(*config, *since, replay);
}

}  // namespace postern::admin
