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

  void take_message(const StageOutcome& outcome);
  void take_recipient(std::size_t recipient, const StageOutcome& outcome);

  // A stage refused, deferred or quarantined the whole message: later stages do not run.
  bool decided() const { return action_ != smtp::Action::none; }
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
  void hold_tagged();

  smtp::Action action_ = smtp::Action::none;      // never accept
  std::string class_;
  std::string reply_;
  bool error_ = false;
  std::vector<bool> recipient_errors_;
};

}  // namespace postern::filters
