#pragma once

#include <functional>
#include <memory>
#include <string>

#include "filters/counters.h"
#include "filters/dns_lists.h"
#include "filters/edition.h"
#include "filters/facts.h"
#include "filters/lua/scene.h"
#include "filters/rule_set.h"
#include "gateway/base/clock.h"
#include "gateway/smtp/judge.h"

namespace postern::filters {

// What the judges of all loops share; everything outlives them.
struct JudgeSetting {
  std::string hostname;                    // authserv-id of Authentication-Results
  const RuleSet* rules = nullptr;
  Counters* counters = nullptr;
  DnsLists* lists = nullptr;
  const Clock* clock = &Clock::system();
  // The rule at `at` was switched off: mail to postmaster.  Called on the loop of the message.
  std::function<void(const lua::RuleInfo& rule, const std::string& reason)> on_switched_off;
  AskTroubles sender_troubles;             // empty: nobody knows any
  bool quiet = false;                      // tests of rules: what goes wrong is in their result, not in the log
  double given_points = 0;                 // that each message starts with; tests of rules set them
};

// Judges by the rules in force: one for each loop, with that loop's resolver and evidence.
class Judge : public smtp::Judge {
 public:
  Judge(const JudgeSetting& setting, dns::Resolver& resolver, EvidenceSource& evidence);
  // For tests of rules: an edition that is not in force (yet).
  Judge(const JudgeSetting& setting, dns::Resolver& resolver, EvidenceSource& evidence, std::shared_ptr<const Edition> edition,
        std::shared_ptr<lua::State> state);
  ~Judge() override;

  std::unique_ptr<smtp::Examination> examine() override;

  // --- for examinations
  struct InForce {
    std::shared_ptr<const Edition> edition;
    std::shared_ptr<lua::State> state;     // of this loop
  };
  // The present rule set; makes this loop's state for it when it is new.
  InForce in_force();
  const JudgeSetting& setting() const { return setting_; }
  EvidenceSource& evidence() { return evidence_; }
  lua::Outside outside() const;

 private:
  std::shared_ptr<lua::State> make_state(const Edition& edition);

  JudgeSetting setting_;
  dns::Resolver& resolver_;
  EvidenceSource& evidence_;
  std::shared_ptr<const Edition> fixed_;
  InForce in_force_;
  Deadline next_try_{};                    // to load what did not load
};

}  // namespace postern::filters
