// Putting the judge together.
#include "gateway/admin/judging.h"

#include <algorithm>

#include "gateway/base/random.h"
#include "gateway/mail/mime.h"

namespace postern::admin {
namespace {

filters::AntivirusOptions antivirus_options(const config::Config& config) {
  filters::AntivirusOptions options;
  options.database = config.antivirus.scanners == 0 ? "" : config.antivirus.database;
  options.scanners = config.antivirus.scanners;
  options.scan_timeout = config.antivirus.timeout;
  return options;
}

filters::EvidenceConfig evidence_config(const config::Config& config) {
  filters::EvidenceConfig out;
  out.hostname = config.hostname;
  out.dmarc_salt = random_number();
  // A scan that crashes a scanner is tried once more.
  out.virus = 2 * config.antivirus.timeout + std::chrono::seconds(10);
  // A fact that comes too late is its error case, which the rule decides on; a stage that ends first is an error of the rule.
  auto within_stage = config.budgets.stage - std::min<std::chrono::milliseconds>(std::chrono::seconds(1), config.budgets.stage / 10);
  for (auto* wait : {&out.reputation, &out.spf, &out.dkim, &out.dmarc, &out.arc, &out.virus}) *wait = std::min(*wait, within_stage);
  return out;
}

filters::ScanVirus scanner(filters::Antivirus& antivirus, std::chrono::milliseconds timeout) {
  return [&antivirus, timeout](Octets message, const mail::PartTable& table) {
    auto job = filters::scan_job(std::move(message), table);
    return antivirus.scan(std::move(job), in(2 * timeout + std::chrono::seconds(5)));
  };
}

filters::JudgeSetting judge_setting(Judging& shared,
                                    std::function<void(const filters::lua::RuleInfo&, const std::string&)> on_switched_off) {
  filters::JudgeSetting setting;
  setting.hostname = shared.config.hostname;
  setting.rules = &shared.rules;
  setting.counters = &shared.counters;
  setting.lists = &shared.lists;
  setting.on_switched_off = std::move(on_switched_off);
  setting.sender_troubles = shared.sender_troubles;
  return setting;
}

}  // namespace

dns::CaresConfig Judging::dns_config(const config::Config& config) {
  dns::CaresConfig out;
  out.servers = config.dns.servers;
  out.timeout = config.dns.timeout;
  return out;
}

filters::LoadOptions Judging::rule_options(const config::Config& config, const std::string& rules_folder) {
  filters::LoadOptions options;
  options.rules = rules_folder.empty() ? config.rules : rules_folder;
  options.scripts = filters::scripts_folder();
  options.budgets.cpu = config.budgets.cpu;
  options.budgets.memory = config.budgets.memory;
  options.budgets.state_memory = config::Budgets::kAllRules;
  options.budgets.dns_questions = static_cast<int>(config.budgets.dns_questions);
  options.budgets.stage_wall = config.budgets.stage;
  return options;
}

Judging::Judging(const config::Config& configuration, const std::string& rules_folder, io::Loop& home, io::WorkerPool& pool)
    : config(configuration),
      workers(pool),
      lists(Clock::system()),
      rules(rule_options(configuration, rules_folder)),
      antivirus(home, antivirus_options(configuration)) {}

std::vector<std::string> lines_of(const filters::LoadReport& report) {
  std::vector<std::string> out;
  for (const auto& mistake : report.mistakes) out.push_back(mistake.text());
  for (const auto& failed : report.failed_tests) {
    out.push_back((failed.mistake.at.empty() ? "" : failed.mistake.at + ": ") + "test \"" + failed.test + "\": " + failed.mistake.what);
  }
  return out;
}

LoopJudging::LoopJudging(Judging& shared, io::Loop& loop,
                         std::function<void(const filters::lua::RuleInfo&, const std::string&)> on_switched_off)
    : resolver(loop, Judging::dns_config(shared.config), shared.cache),
      evidence(resolver, &shared.workers, Clock::system(), evidence_config(shared.config),
               scanner(shared.antivirus, shared.config.antivirus.timeout)),
      judge(judge_setting(shared, std::move(on_switched_off)), resolver, evidence) {}

}  // namespace postern::admin
