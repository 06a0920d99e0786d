#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/delivery/queue_state.h"
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
  std::string signatures;             // DKIM-Signature fields for the copies that go on; of mail that is ours alone
  std::set<std::string> abroad = {};  // recipients in other domains than ours, by Recipient::address
  bool let_go = false;                // an administrator wants it sent: neither counted nor held again
  std::map<std::string, std::string> seals = {};   // ARC Sets for the copies that one of ours sends on, by his domain
  // The judge's own word, where delivery may change it (limits of a user, loops, a redirect to nobody); for the trace.
  std::string judged_verdict;
  std::vector<smtp::RecipientVerdict> judged_recipients;
};

// A copy that goes on to the server of its domain.
struct OnwardCopy {
  std::string domain;      // "": the copy stays here
  std::string address;     // of the recipient there
  std::string account;     // Pending::account
  mail::Notify notify = {};
  std::string orcpt = {};
  std::string sent_by = {};     // the address of ours that sends it on to a foreign one; "": it is that domain's mail
  std::optional<std::string> sender = {};   // of the envelope, where it is not the message's
  std::string post = {};        // QueueState::post: `sent_by` is a mailing list, which signs what it makes of it
};

// What the owner of a mailbox has sent on.
struct Forwarding {
  std::vector<OnwardCopy> copies;
  bool keep = true;        // one stays with him
};

// A copy that a rule wants kept whatever becomes of the message.
struct JournalCopy {
  store::AccountId account = 0;   // into his INBOX
  OnwardCopy onward;              // with no account: sent there
};

// Where the copies can go, by the index of the recipient.
struct PlanAccounts {
  std::vector<store::AccountId> recipients;       // of one whose copy goes on: whose quarantine it is if it is held
  std::vector<store::AccountId> redirects;        // instead of him; 0: no redirect
  std::vector<OnwardCopy> onward;                 // unless the copy is held
  std::vector<Forwarding> forwarding;             // unless the copy is held; may be shorter
  store::AccountId quarantine = 0;                // owns the originals of class virus
  std::vector<std::string> owners = {};           // addresses of the accounts in `recipients`, where they are not Recipient::account
  store::AccountId sender = 0;                    // of mail on its way out: in his Held lies what is held
  std::vector<JournalCopy> journals = {};         // not by recipient
  bool save_to_sent = false;                      // and in his Sent a copy of what goes
  std::vector<bool> set_aside = {};               // of these the copy is among `more`, unless it is held; may be shorter
  std::vector<store::Target> more = {};           // further copies: of what waits for the moderators of a list
};

// Turns a verdict into one atomic delivery: body once, a row per mailbox, an entry of the queue per domain.  A recipient
// whose copy is refused or deferred while others' are not gets it in his quarantine (never a bounce,
// design 6).  Each account and folder gets one copy, however many addresses led there.
store::Delivery plan(const Judged& message, const PlanAccounts& accounts, const std::string& hostname);

// The record that the store keeps: what was received less forged fields of ours, removed after DKIM was verified.
Octets record_of(const Octets& received, const std::string& hostname);

// In whose name a copy is sealed: of the one who sends it on; "": it is not.  A list seals what it makes itself.
std::string seal_domain(const OnwardCopy& copy);

// An entry of the queue for one copy that goes on, as plan() would make it.
QueueState state_of(const OnwardCopy& copy, const Judged& message);

// The recipients whose copies plan() puts into mailboxes other than a quarantine, or a moderator's.
std::vector<std::size_t> delivered_here(const Judged& message, const PlanAccounts& accounts);

// SPF, a signature of his domain, a login or our own network shows that the sender is who he says: he may be told.
bool is_sender_known(const Judged& message);

}  // namespace postern::delivery
