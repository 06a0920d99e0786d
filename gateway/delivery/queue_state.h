#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/mail/dsn_request.h"
#include "gateway/smtp_client/envelope.h"

namespace postern::delivery {

// A recipient who has not got the message yet.
struct Pending {
  std::string address;     // as in RCPT TO
  std::string account;     // of ours, whose quarantine takes what cannot be delivered; "": the postmaster's
  std::string words;       // of the remote, or ours: why he has not got it; "" before the first attempt
  mail::Notify notify = {};      // what the sender wants to hear of him, RFC 3461
  std::string orcpt = {};        // the value as it came; "": none
  bool told_of_delay = false;    // once is enough
};

// What the queue keeps of a message beside its octets: store::QueueEntry::state.
struct QueueState {
  std::string sender;      // "": the null reverse-path
  std::vector<Pending> recipients;
  bool eight_bit = false;
  bool smtputf8 = false;
  bool may_report = false;           // a DSN may go to the sender: he is known to be who he says
  std::uint32_t attempts = 0;        // that were this message's own; none is counted while its route is down
  Time last_attempt{};
  std::string ret;                   // RFC 3461 4.3 and 4.4, values as they came: "FULL", "HDRS"; "": none
  std::string envid;
  std::string post;                  // of what waits for a mailing list of ours: encode(ListPost); "" of all others
};

std::string encode(const QueueState& state);
// Nothing: damaged.
std::optional<QueueState> decode_state(std::string_view text);
// Of a stored state; "" also for one that is damaged.
std::string sender_of(std::string_view state);

// As it is said to the next host.  Of a sender who may be forged no report on success is asked for: its reports would hit
// whom he pretends to be.
smtp_client::Envelope envelope_of(const QueueState& state);

}  // namespace postern::delivery
