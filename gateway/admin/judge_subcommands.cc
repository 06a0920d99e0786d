// check, test, spf: configuration and rules on their own.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "filters/edition.h"
#include "filters/lua/reference.h"
#include "filters/rule_set.h"
#include "filters/spf.h"
#include "gateway/admin/control.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/io/loop.h"
#include "gateway/smtp_client/target.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

std::vector<std::string> check_store(const config::Config& config) {
  auto became = become_owner(config.data);
  if (!became) return {became.error().text};
  io::WorkerPool workers(1);
  store::StoreOptions options;
  options.directory = config.data;
  auto opened = store::Store::open(options, workers);
  if (!opened) return {opened.error().text};
  return (*opened)->verify();
}

// "name (file)" of each rule that this version ships and the administrator's folder has not: an update does not touch his.
std::vector<std::string> rules_not_taken(const filters::LoadReport& own) {
  filters::LoadOptions options;
  options.rules = filters::shipped_rules_folder();
  options.scripts = filters::scripts_folder();
  options.run_tests = false;
  std::error_code absent;
  if (!own.edition || !std::filesystem::exists(options.rules, absent)) return {};
  auto shipped = filters::load_rules(options);
  if (!shipped.edition) return {};
  std::set<std::string_view> have;
  for (const auto& rule : own.edition->rules) have.insert(rule.name);
  std::vector<std::string> out;
  for (const auto& rule : shipped.edition->rules) {
    if (!have.contains(rule.name)) out.push_back(rule.name + " (" + std::filesystem::path(rule.file).filename().string() + ")");
  }
  return out;
}

// Patterns that the one pass for all of them does not take, so that each costs as much as all others together.
std::vector<std::string> slow_patterns(const filters::LoadReport& report) {
  std::vector<std::string> out;
  if (!report.edition) return out;
  report.edition->generation->compile_patterns();
  auto set = report.edition->generation->pattern_set();
  if (!set) return out;
  if (!set->problem().empty()) return {set->problem()};
  for (const auto& member : set->members()) {
    if (member.part != filters::PatternSet::Part::alone) continue;
    out.push_back("re(\"" + printable(member.regex->pattern(), 60) + "\") is searched by itself: " + member.why);
  }
  constexpr std::size_t kShown = 20;
  if (out.size() > kShown + 1) {
    std::string rest = std::to_string(out.size() - kShown) + " further patterns are searched by themselves";
    out.resize(kShown);
    out.push_back(std::move(rest));
  }
  return out;
}

}  // namespace

int check_command(const Global& global, const CheckArguments& arguments) {
  auto loaded = config::load(global.config);
  auto mistakes = loaded.mistakes;
  auto warnings = loaded.warnings;
  if (loaded.ok()) {
    auto files = config::check_files(loaded.config);
    mistakes.insert(mistakes.end(), files.mistakes.begin(), files.mistakes.end());
    warnings.insert(warnings.end(), files.warnings.begin(), files.warnings.end());
    auto trust = smtp_client::contexts_trusting(loaded.config.tls.trust);
    if (files.mistakes.empty() && !trust) mistakes.push_back(loaded.config.file + ": trust in [tls]: " + trust.error().text);
  }
  std::size_t rules = 0;
  std::size_t tests = 0;
  std::vector<std::string> not_taken, slow;
  if (loaded.ok() || !arguments.rules.empty()) {
    auto report = filters::load_rules(Judging::rule_options(loaded.config, arguments.rules));
    auto lines = lines_of(report);
    mistakes.insert(mistakes.end(), lines.begin(), lines.end());
    rules = report.rules;
    tests = report.tests;
    const auto& folder = arguments.rules.empty() ? loaded.config.rules : arguments.rules;
    if (lines.empty() && rules == 0) warnings.push_back(folder + ": there is no rule: mail is delivered unjudged");
    if (rules > 0) not_taken = rules_not_taken(report);
    slow = slow_patterns(report);
  }
  if (arguments.store && loaded.ok()) {
    auto found = check_store(loaded.config);
    mistakes.insert(mistakes.end(), found.begin(), found.end());
  }
  if (global.json) {
    print_json({{"ok", mistakes.empty()}, {"mistakes", mistakes}, {"warnings", warnings}, {"rules", rules}, {"tests", tests}, {"not_taken", not_taken}, {"slow_patterns", slow}});
  } else {
    for (const auto& warning : warnings) print("warning: " + warning + "\n");
    for (const auto& mistake : mistakes) print(mistake + "\n");
    for (const auto& one : slow) print("note: " + one + "\n");
    if (!not_taken.empty()) {
      print("Shipped and not in your folder, take from " + filters::shipped_rules_folder().string() + " what you want: " + join(not_taken, ", ") + "\n");
    }
    if (mistakes.empty()) print("All well: " + std::to_string(rules) + " rules, " + std::to_string(tests) + " tests passed.\n");
  }
  if (!loaded.ok()) return 2;
  return mistakes.empty() ? 0 : 1;
}

int test_command(const Global& global, const std::string& directory) {
  config::Config config;
  if (directory.empty()) {
    auto loaded = config::load(global.config);
    for (const auto& mistake : loaded.mistakes) complain(mistake);
    if (!loaded.ok()) return 2;
    config = std::move(loaded.config);
  }
  auto report = filters::load_rules(Judging::rule_options(config, directory));
  auto lines = lines_of(report);
  std::size_t failed = report.failed_tests.size();
  if (global.json) {
    print_json({{"ok", report.good()}, {"tests", report.tests}, {"failed", failed}, {"mistakes", lines}});
  } else {
    for (const auto& line : lines) print(line + "\n");
    print(std::to_string(report.tests - failed) + " passed, " + std::to_string(failed) + " failed, " + std::to_string(report.rules) +
          " rules\n");
  }
  return report.good() ? 0 : 1;
}

int doc_rules_command() {
  print(filters::lua::rules_reference());
  return 0;
}

int spf_command(const Global& global, const SpfArguments& arguments) {
  auto ip = IpAddress::parse(arguments.ip);
  if (!ip) {
    complain("--ip " + arguments.ip + ": that is no address");
    return 2;
  }
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  io::Loop loop;
  dns::Cache cache;
  filters::Spf spf;
  {
    dns::CaresResolver resolver(loop, Judging::dns_config(loaded.config), cache);
    filters::SpfQuery query(*ip, arguments.helo, arguments.from, loaded.config.hostname);
    spf = loop.block_on(filters::check_spf(resolver, std::move(query), in(std::chrono::seconds(30))));
  }
  json explanation = spf.explanation.empty() ? json() : json(spf.explanation);
  if (global.json) {
    print_json({{"result", name(spf.result)}, {"explanation", explanation}, {"domain", spf.domain},
                {"mechanism", spf.mechanism}, {"problem", spf.problem}});
    return 0;
  }
  print(std::string(name(spf.result)) + (spf.mechanism.empty() ? "" : " (" + spf.mechanism + ")") + "\n");
  if (!spf.explanation.empty()) print(spf.explanation + "\n");
  if (!spf.problem.empty()) print(spf.problem + "\n");
  return 0;
}

}  // namespace postern::admin
