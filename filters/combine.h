#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/stage.h"
#include "gateway/smtp/judge.h"

namespace postern::filters {

// Puts the outcomes of the stages message, verdict and deliver together into what becomes of each
// recipient's copy.  Design 6, "Per recipient".
class Combined {
 public:
  double score = 0;                               // of the message
  std::vector<smtp::Hit> hits;
  std::vector<smtp::RecipientVerdict> recipients;

  void begin(double points, const std::vector<smtp::Recipient>& envelope);
  void add_hits(const std::vector<smtp::Hit>& more);
  // Points of stage rcpt: they count for that recipient only.
  void add_points(std::size_t recipient, double points);

  // `allowing`: Scene::allowing.
  void take_message(const StageOutcome& outcome, const std::vector<bool>& allowing);
  void take_recipient(std::size_t recipient, const StageOutcome& outcome);

  // A stage refused, deferred or quarantined the whole message: later stages do not run.
  bool decided() const { return action_ != smtp::Action::none; }
  // It was decided as spam alone, so that who wants to hear the author may still get it (StageOutcome::spam_only).
  bool only_spam() const { return !before_.empty(); }
  // What a later stage says to those; the decision stands for everybody else.
  void take_beyond(const StageOutcome& outcome, const std::vector<bool>& allowing);
  // What stage deliver says for one of them: `accept` delivers.
  void take_allowed(std::size_t recipient, const StageOutcome& outcome);
  // It would be deferred because a rule failed.
  bool error() const;
  // Into everybody's quarantine, class policy, instead of one more 451; what a rule rejected or quarantined stays so.
  void hold_all();
  // Into this recipient's, where he would get it.
  void hold(std::size_t recipient);
  // LMTP, where a rejection comes too late: the copies that rules reject are held.
  void hold_rejected();

  smtp::MessageVerdict finish(std::string_view id);

 private:
  void quarantine(smtp::RecipientVerdict& copy, std::string_view quarantine_class);
  void settle_mixed();
  void take_for_allowing(const Decided& decided, const std::vector<bool>& allowing);
  void hold_tagged();
  // Said of the message or of one of its recipients: one copy an address.
  void add_journals(const std::vector<std::string>& addresses);

  smtp::Action action_ = smtp::Action::none;      // never accept
  std::string class_;
  std::string reply_;
  bool error_ = false;
  std::vector<bool> recipient_errors_;
  std::vector<std::string> journals_;
  std::vector<smtp::RecipientVerdict> before_;    // only_spam(): as the copies were before
};

}  // namespace postern::filters
