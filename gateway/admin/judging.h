#pragma once

#include <memory>
#include <optional>

#include "filters/antivirus.h"
#include "filters/counters.h"
#include "filters/dns_lists.h"
#include "filters/evidence.h"
#include "filters/judge.h"
#include "filters/rule_set.h"
#include "gateway/config/config.h"
#include "gateway/dns/cache.h"
#include "gateway/dns/cares_resolver.h"
#include "gateway/io/worker_pool.h"

namespace postern::admin {

// The judging machinery that all loops share: what `serve` and `explain` both put together.
struct Judging {
  // `home`: the loop on which the antivirus lives.  Everything must outlive this object.
  Judging(const config::Config& config, const std::string& rules_folder, io::Loop& home, io::WorkerPool& workers);

  // Of the configuration.
  static dns::CaresConfig dns_config(const config::Config& config);
  static filters::LoadOptions rule_options(const config::Config& config, const std::string& rules_folder);

  const config::Config& config;
  io::WorkerPool& workers;
  dns::Cache cache;
  filters::DnsLists lists;
  filters::Counters counters;
  filters::RuleSet rules;
  filters::Antivirus antivirus;
  filters::AskTroubles sender_troubles;   // of users of ours; empty: nobody knows any
};

// The mistakes and failed tests of a rules folder as lines "at: what".
std::vector<std::string> lines_of(const filters::LoadReport& report);

// One loop's share: its resolver, evidence and judge.
struct LoopJudging {
  LoopJudging(Judging& shared, io::Loop& loop,
              std::function<void(const filters::lua::RuleInfo&, const std::string&)> on_switched_off = {});

  dns::CaresResolver resolver;
  filters::Evidence evidence;
  filters::Judge judge;
};

}  // namespace postern::admin
