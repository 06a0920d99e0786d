// One stage: answers in reading order become points, tags and at most one decision.
#include "filters/stage.h"

#include <algorithm>

#include "gateway/base/log.h"

namespace postern::filters {
namespace {

using lua::Word;
using smtp::Action;

Action action_of(Word word) {
  switch (word) {
    case Word::accept: return Action::accept;
    case Word::defer: return Action::defer;
    case Word::quarantine: return Action::quarantine;
    case Word::reject: return Action::reject;
    default: return Action::none;
  }
}

class Reading : public lua::Reader {
 public:
  Reading(Judge& judge, const Edition& edition, lua::Scene& scene, smtp::Stage stage, std::size_t recipient)
      : judge_(judge), edition_(edition), scene_(scene), stage_(stage), recipient_(recipient) {}

  bool read(lua::Answer answer) override {
    const lua::RuleInfo& rule = edition_.rules[answer.rule];
    // `accept` of a required rule ends the stage, but not before the other required ones have spoken.
    if (accepted_ && !rule.required) return false;
    if (answer.failed) return read_failure(rule, answer);
    for (auto& effect : answer.effects) effects_.push_back(std::move(effect));
    bool open = true;
    for (const auto& spoken : answer.spoken) {
      smtp::Hit hit = begin_hit(rule, std::string(lua::name(spoken.word)), spoken.at, answer.took);
      hit.points = spoken.points;
      hit.why = spoken.why;
      outcome.hits.push_back(std::move(hit));
      if (!rule.shadow && open) open = apply(rule, spoken);
    }
    return open;
  }

  // A rule that is switched off does not run; each message says so.
  void note_off(const lua::RuleInfo& rule, std::string reason) {
    smtp::Hit hit = begin_hit(rule, "error", rule.at(), {});
    hit.off = true;
    hit.why = "switched off: " + reason;
    outcome.hits.push_back(std::move(hit));
  }

  void take_effect() {
    for (const auto& effect : effects_) {
      if (effect.is_count) {
        scene_.outside().counters->add(effect.key, effect.span);
      } else {
        scene_.outside().counters->remember(effect.key, effect.span, effect.value);
      }
    }
  }

  StageOutcome outcome;

 private:
  smtp::Hit begin_hit(const lua::RuleInfo& rule, std::string kind, std::string at, std::chrono::microseconds took) {
    smtp::Hit hit;
    hit.rule = rule.name;
    hit.stage = stage_;
    hit.kind = std::move(kind);
    hit.at = std::move(at);
    hit.took = took;
    hit.shadow = rule.shadow;
    bool of_recipient = stage_ == smtp::Stage::rcpt || stage_ == smtp::Stage::deliver;
    if (of_recipient && recipient_ < scene_.recipients.size()) hit.recipient = scene_.recipients[recipient_].address;
    return hit;
  }

  bool apply(const lua::RuleInfo& rule, const lua::Spoken& spoken) {
    if (spoken.word == Word::journal) {   // spam or not, it is kept
      outcome.journals.push_back(spoken.argument);
      return true;
    }
    if (outcome.spam_only) return apply_beyond(rule, spoken);
    if (spoken.word == Word::score) outcome.points += spoken.points;
    if (spoken.word == Word::tag && !outcome.folder) outcome.folder = spoken.argument;
    if (spoken.word == Word::redirect && outcome.redirect.empty()) outcome.redirect = spoken.argument;
    if (!lua::decides(spoken.word)) return true;
    outcome.action = action_of(spoken.word);
    if (spoken.word == Word::quarantine) outcome.quarantine_class = spoken.argument;
    outcome.why = spoken.why;
    outcome.rule = rule.name;
    outcome.at = spoken.at;
    accepted_ = outcome.action == Action::accept && rule.required;
    outcome.spam_only = !scene_.allowing.empty() && is_about_spam(rule, spoken);
    return accepted_ || outcome.spam_only;
  }

  // No rule that must be heard, no class that says more, and no rejection before the points were summed up.
  bool is_about_spam(const lua::RuleInfo& rule, const lua::Spoken& spoken) const {
    if (rule.required) return false;
    if (spoken.word == Word::reject) return stage_ == smtp::Stage::verdict;
    return spoken.word == Word::quarantine && spoken.argument == "spam" && (stage_ == smtp::Stage::message || stage_ == smtp::Stage::verdict);
  }

  // Behind the decision that it is spam only one of another kind counts.
  bool apply_beyond(const lua::RuleInfo& rule, const lua::Spoken& spoken) {
    if (!lua::decides(spoken.word) || is_about_spam(rule, spoken)) return true;
    if (spoken.word == Word::accept) {
      accepted_ = true;   // ends the stage but for required rules
      return true;
    }
    outcome.beyond.action = action_of(spoken.word);
    if (spoken.word == Word::quarantine) outcome.beyond.quarantine_class = spoken.argument;
    outcome.beyond.why = spoken.why;
    return false;
  }

  bool read_failure(const lua::RuleInfo& rule, const lua::Answer& answer) {
    smtp::Hit hit = begin_hit(rule, "error", answer.at, answer.took);
    hit.why = answer.what;
    outcome.hits.push_back(hit);
    std::uint64_t errors = 0;
    bool switched_off = false;
    if (!answer.blameless) {
      auto failure = edition_.health.failed(answer.rule, judge_.setting().clock->now(), counted_network(scene_.client.ip), scene_.id, answer.what);
      errors = failure.errors;
      switched_off = failure.switched_off;
    }
    if (!judge_.setting().quiet) {
      log::error("error", {{"rule", rule.name}, {"at", answer.at}, {"what", answer.what}, {"message", scene_.id},
                           {"action", rule.shadow ? "none" : "defer"}, {"errors", std::to_string(errors)}});
    }
    if (switched_off) {
      std::string reason = edition_.health.reason(answer.rule);
      log::error("rule.off", {{"rule", rule.name}, {"at", rule.at()}, {"what", reason}});
      if (judge_.setting().on_switched_off) judge_.setting().on_switched_off(rule, reason);
    }
    if (rule.shadow) return true;
    if (outcome.spam_only) {
      outcome.beyond = {Action::defer, "", answer.what, true};
      return false;
    }
    outcome.action = Action::defer;
    outcome.error = true;
    outcome.why = answer.what;
    outcome.rule = rule.name;
    outcome.at = answer.at;
    return false;
  }

  Judge& judge_;
  const Edition& edition_;
  lua::Scene& scene_;
  smtp::Stage stage_;
  std::size_t recipient_;
  std::vector<lua::Effect> effects_;
  bool accepted_ = false;
};

}  // namespace

io::Task<StageOutcome> run_stage(Judge& judge, Judge::InForce force, lua::Scene& scene, smtp::Stage stage, std::size_t recipient) {
  const Edition& edition = *force.edition;
  Reading reading(judge, edition, scene, stage, recipient);
  std::vector<std::size_t> rules;
  bool outgoing = scene.client.outgoing();
  for (std::size_t rule : edition.at(stage)) {
    if (!edition.rules[rule].runs(outgoing)) continue;
    if (edition.health.off(rule)) {
      reading.note_off(edition.rules[rule], edition.health.reason(rule));
    } else {
      rules.push_back(rule);
    }
  }
  if (rules.empty()) co_return std::move(reading.outcome);
  scene.stage_ends = std::min(in(edition.generation->budgets().stage_wall), scene.message_ends);
  edition.health.ran(rules, judge.setting().clock->now());
  co_await lua::run_stage(force.state, std::move(rules), scene, recipient, reading);
  reading.take_effect();
  co_return std::move(reading.outcome);
}

}  // namespace postern::filters
