// From outcomes of stages to a verdict for each recipient.  No copy is ever dropped: who refuses or
// defers while others take the message finds it in his quarantine.
#include "filters/combine.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using smtp::Action;

constexpr std::string_view kNotJudged = "cannot be judged at the moment, please try again later";

std::string_view verdict_word(const smtp::RecipientVerdict& copy) {
  switch (copy.action) {
    case Action::reject: return "reject";
    case Action::defer: return "defer";
    case Action::quarantine: return "quarantine";
    case Action::accept:
    case Action::none: break;
  }
  return copy.folder == "Junk" ? "junk" : "ham";
}

}  // namespace

void Combined::begin(double points, const std::vector<smtp::Recipient>& envelope) {
  score = points;
  for (const auto& recipient : envelope) {
    smtp::RecipientVerdict copy;
    copy.address = recipient.address;
    copy.score = points;
    recipients.push_back(std::move(copy));
  }
  recipient_errors_.assign(envelope.size(), false);
}

void Combined::add_hits(const std::vector<smtp::Hit>& more) { hits.insert(hits.end(), more.begin(), more.end()); }

void Combined::add_points(std::size_t recipient, double points) { recipients[recipient].score += points; }

void Combined::quarantine(smtp::RecipientVerdict& copy, std::string_view quarantine_class) {
  copy.action = Action::quarantine;
  copy.folder = "Quarantine";
  copy.quarantine_class = quarantine_class;
  copy.redirect.clear();
}

void Combined::add_journals(const std::vector<std::string>& addresses) {
  for (const auto& address : addresses) {
    bool there = std::any_of(journals_.begin(), journals_.end(), [&](const auto& other) { return iequals(other, address); });
    if (!there) journals_.push_back(address);
  }
}

void Combined::take_message(const StageOutcome& outcome, const std::vector<bool>& allowing) {
  add_hits(outcome.hits);
  add_journals(outcome.journals);
  score += outcome.points;
  for (auto& copy : recipients) {
    copy.score += outcome.points;
    if (outcome.folder) copy.folder = *outcome.folder;
  }
  if (outcome.action == Action::none || outcome.action == Action::accept) return;  // accept ends its stage only
  action_ = outcome.action;
  class_ = outcome.quarantine_class;
  error_ = outcome.error;
  reply_ = outcome.error ? kNotJudged : outcome.why;
  if (outcome.spam_only) before_ = recipients;
  for (auto& copy : recipients) {
    if (action_ == Action::quarantine) {
      quarantine(copy, class_);
    } else {
      copy.action = action_;
      copy.reply = reply_;
    }
  }
  if (outcome.spam_only) take_for_allowing(outcome.beyond, allowing);
}

// A decision that holds for them too: there is nothing to be allowed any more.
void Combined::take_for_allowing(const Decided& decided, const std::vector<bool>& allowing) {
  if (decided.action == Action::none || decided.action == Action::accept) return;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    if (!allowing[i]) continue;
    auto& copy = recipients[i] = before_[i];
    if (decided.action == Action::quarantine) {
      quarantine(copy, decided.quarantine_class);
      continue;
    }
    copy.action = decided.action;
    copy.reply = decided.error ? kNotJudged : decided.why;
    recipient_errors_[i] = decided.error;
  }
  reply_.clear();   // each copy has its own
  before_.clear();
}

void Combined::take_beyond(const StageOutcome& outcome, const std::vector<bool>& allowing) {
  add_hits(outcome.hits);
  add_journals(outcome.journals);
  Decided own{outcome.action, outcome.quarantine_class, outcome.why, outcome.error};
  take_for_allowing(outcome.spam_only ? outcome.beyond : own, allowing);
}

void Combined::take_allowed(std::size_t recipient, const StageOutcome& outcome) {
  if (outcome.action != Action::accept) {
    add_hits(outcome.hits);
    add_journals(outcome.journals);
    return;
  }
  recipients[recipient] = before_[recipient];
  take_recipient(recipient, outcome);
}

void Combined::take_recipient(std::size_t recipient, const StageOutcome& outcome) {
  add_hits(outcome.hits);
  add_journals(outcome.journals);
  auto& copy = recipients[recipient];
  if (outcome.folder) copy.folder = *outcome.folder;
  copy.redirect = outcome.redirect;
  if (outcome.action == Action::none || outcome.action == Action::accept) return;
  if (outcome.action == Action::quarantine) {
    quarantine(copy, outcome.quarantine_class);
    return;
  }
  copy.action = outcome.action;
  copy.reply = outcome.error ? kNotJudged : outcome.why;
  recipient_errors_[recipient] = outcome.error;
}

bool Combined::error() const {
  if (error_) return true;
  bool all_defer = !recipients.empty() && std::all_of(recipients.begin(), recipients.end(), [](const auto& copy) { return copy.action == Action::defer; });
  return all_defer && std::find(recipient_errors_.begin(), recipient_errors_.end(), true) != recipient_errors_.end();
}

void Combined::hold_all() {
  bool refused = action_ == Action::reject;
  if (!refused && action_ != Action::quarantine) {   // else a rule that did work has decided
    action_ = Action::quarantine;
    class_ = "policy";
  }
  error_ = false;
  recipient_errors_.assign(recipients.size(), false);
  for (auto& copy : recipients) {
    bool stays = copy.action == Action::quarantine || (refused && copy.action == Action::reject);
    if (!stays) quarantine(copy, "policy");
  }
}

void Combined::hold(std::size_t recipient) {
  auto& copy = recipients[recipient];
  if (copy.action == Action::accept || copy.action == Action::none) quarantine(copy, "policy");
}

void Combined::hold_rejected() {
  if (action_ == Action::reject) {
    action_ = Action::quarantine;
    class_ = "policy";
  }
  for (auto& copy : recipients) {
    if (copy.action == Action::reject) quarantine(copy, "policy");
  }
}

// 5xx only if every recipient refuses, 451 only if every one defers.
void Combined::settle_mixed() {
  auto all = [this](Action action) {
    return std::all_of(recipients.begin(), recipients.end(), [action](const auto& copy) { return copy.action == action; });
  };
  if (recipients.empty() || all(Action::reject) || all(Action::defer)) return;
  for (auto& copy : recipients) {
    if (copy.action == Action::reject || copy.action == Action::defer) quarantine(copy, "policy");
  }
}

// tag("Quarantine", "why") holds like quarantine("why"): nothing lies in that mailbox that is not held.
void Combined::hold_tagged() {
  for (auto& copy : recipients) {
    if (copy.action != Action::accept && copy.action != Action::none) continue;
    if (iequals(copy.folder, "Quarantine") || istarts_with(copy.folder, "Quarantine/")) quarantine(copy, "spam");
  }
}

smtp::MessageVerdict Combined::finish(std::string_view id) {
  settle_mixed();
  hold_tagged();
  smtp::MessageVerdict verdict;
  verdict.error = error();
  verdict.score = score;
  verdict.hits = std::move(hits);
  verdict.recipients = std::move(recipients);
  if (!verdict.recipients.empty()) {
    // The word of the message is the one that holds for all, else what its own stages came to.
    std::string_view word = verdict_word(verdict.recipients.front());
    bool same = std::all_of(verdict.recipients.begin(), verdict.recipients.end(), [word](const auto& copy) { return verdict_word(copy) == word; });
    if (same) {
      verdict.verdict = word;
    } else if (action_ == Action::quarantine) {
      verdict.verdict = "quarantine";
    } else {
      bool junk = std::none_of(verdict.recipients.begin(), verdict.recipients.end(), [](const auto& copy) { return verdict_word(copy) == "ham"; });
      verdict.verdict = junk ? "junk" : "ham";
    }
  }
  if (verdict.verdict == "reject" || verdict.verdict == "defer") {
    std::string why = reply_.empty() ? verdict.recipients.front().reply : reply_;
    verdict.reply = why + " (id " + std::string(id) + ")";
  } else {
    verdict.journals = std::move(journals_);   // of what is taken
  }
  return verdict;
}

}  // namespace postern::filters
