#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "filters/judge.h"
#include "filters/lua/run.h"

namespace postern::filters {

// What a rule decided.
struct Decided {
  smtp::Action action = smtp::Action::none;
  std::string quarantine_class;
  std::string why;
  bool error = false;                // the action is a defer because a rule failed
};

// What a stage came to, once its answers were read in order.
struct StageOutcome {
  smtp::Action action = smtp::Action::none;
  std::string quarantine_class;
  std::string why;                   // of the deciding rule
  // The decision is that this is spam, and nothing more: who wants to hear the author may have it.  Where somebody does
  // (Scene::allowing), the stage is read on to its next decision of another kind, which holds for him too.
  bool spam_only = false;
  Decided beyond;
  std::string rule;
  std::string at;
  double points = 0;
  std::optional<std::string> folder; // of the first tag
  std::string redirect;
  std::vector<std::string> journals;  // addresses
  bool error = false;                // the action is a defer because a rule failed
  std::vector<smtp::Hit> hits;
};

// Runs one stage by the rule set of `force`; failures are logged and counted, effects take hold.
// `scene` must use force.state and outlive the task.
io::Task<StageOutcome> run_stage(Judge& judge, Judge::InForce force, lua::Scene& scene, smtp::Stage stage, std::size_t recipient);

}  // namespace postern::filters
