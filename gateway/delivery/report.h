#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/plan.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/dsn.h"
#include "gateway/smtp_client/outcome.h"
#include "gateway/store/types.h"

namespace postern::delivery {

// What became of the message for one recipient.
struct Fate {
  Pending who;
  mail::DsnRecipient::Action action = mail::DsnRecipient::Action::failed;
  std::string status;        // RFC 3463
  std::string host;          // who said so; "": we did
  std::string diagnostic;    // its words; "": only ours
  std::string why;           // for people

  // The sender has asked to hear of this, or not asked to hear nothing of it.  RFC 3461 4.1.
  bool is_wanted() const;
};

// What a remote, or we, said: one line for logs, the queue's list and reports; never "".
std::string words_of(const smtp_client::Outcome& outcome);

// The fate of `who` after an attempt at `host`.  `expired`: it was not the first one, and is the last.
Fate failed_for(Pending who, const smtp_client::Outcome& outcome, const std::string& host, bool expired);
// RFC 3461 5.2.2: a host that does not know of reports has it, and will not make one.
Fate relayed_for(Pending who, const smtp_client::Outcome& outcome, const std::string& host);
// He has waited for long; `trouble`: why his host is not asked, or "".
Fate delayed_for(Pending who, const std::string& trouble);
// The operator does not want it to be tried any more.
Fate unwanted_for(Pending who, const std::string& trouble);

// Nobody is told but who is known to be who he says: a report to a forged sender hits somebody who has written nothing;
// and never the null reverse-path, or two gateways answer each other for ever (RFC 5321 6.1).
bool may_be_told(const QueueState& state);

// An item with our own message in it, for a mailbox.
store::Item item_with(std::string id, Octets record, Time when);

// Writes delivery status notifications, RFC 3461 6.  Safe from any thread.
class Reports {
 public:
  Reports(const directory::Directory& directory, std::string hostname) : directory_(directory), hostname_(std::move(hostname)) {}

  // What all recipients of one report have in common beside QueueState.
  struct About {
    Time arrived{};
    std::optional<Time> retry_until = std::nullopt;   // of a delay
  };
  // Adds the report to `delivery`: into the sender's mailbox if he is ours, else into the queue.  `message` may end
  // behind its header where nothing failed.  Only for who may_be_told().
  void add(store::Delivery& delivery, const QueueState& state, About about, const std::vector<Fate>& fates, std::string_view message) const;

  // The same for copies that are being stored in mailboxes of ours by `delivery`, where the sender wants to hear of it.
  // `placed`: indexes of the recipients.
  void add_delivered(store::Delivery& delivery, const Judged& message, const std::vector<std::size_t>& placed) const;

 private:
  const directory::Directory& directory_;
  std::string hostname_;
};

}  // namespace postern::delivery
