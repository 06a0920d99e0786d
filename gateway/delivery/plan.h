#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/smtp/judge.h"
#include "gateway/store/types.h"

namespace postern::delivery {

// One judged message on its way to the store.
struct Judged {
  std::string id;
  smtp::Client client;
  std::optional<smtp::Client> relay;  // who handed it over, where XFORWARD named another as client
  smtp::Sender sender;
  std::vector<smtp::Recipient> recipients;
  Octets received;                    // as received
  smtp::MessageVerdict verdict;       // its recipients stand in the same order
  Time when{};
};

// The accounts that the plan needs beside the recipients' own.
struct PlanAccounts {
  std::vector<store::AccountId> recipients;       // by index; the copy of a redirect goes to `redirects`
  std::vector<store::AccountId> redirects;        // by index; 0: no redirect
  store::AccountId quarantine = 0;                // owns the originals of class virus
};

// Turns a verdict into one atomic delivery: body once, a row per mailbox, the trace.  A recipient
// whose copy is refused or deferred while others' are not gets it in his quarantine (never a bounce,
// design 6).  Each account and folder gets one copy, however many addresses led there.
store::Delivery plan(const Judged& message, const PlanAccounts& accounts, const std::string& hostname);

// Trace record of a message whatever became of it: one row under "trace:<id>".
store::Row trace_row(const Judged& message, const std::string& reply);

}  // namespace postern::delivery
