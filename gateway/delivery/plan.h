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

// A copy that goes on to the server of its domain.
struct OnwardCopy {
  std::string domain;      // "": the copy stays here
  std::string address;     // of the recipient there
  std::string account;     // Pending::account
};

// Where the copies can go, by the index of the recipient.
struct PlanAccounts {
  std::vector<store::AccountId> recipients;       // of one whose copy goes on: whose quarantine it is if it is held
  std::vector<store::AccountId> redirects;        // instead of him; 0: no redirect
  std::vector<OnwardCopy> onward;                 // unless the copy is held
  store::AccountId quarantine = 0;                // owns the originals of class virus
  std::vector<std::string> owners = {};           // addresses of the accounts in `recipients`, where they are not Recipient::account
};

// Turns a verdict into one atomic delivery: body once, a row per mailbox, an entry of the queue per domain.  A recipient
// whose copy is refused or deferred while others' are not gets it in his quarantine (never a bounce,
// design 6).  Each account and folder gets one copy, however many addresses led there.
store::Delivery plan(const Judged& message, const PlanAccounts& accounts, const std::string& hostname);

// Trace record of a message whatever became of it: one row under "trace:<id>".
store::Row trace_row(const Judged& message, const std::string& reply);

}  // namespace postern::delivery
