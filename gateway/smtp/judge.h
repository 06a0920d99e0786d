#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/io/task.h"
#include "gateway/io/tls.h"
#include "gateway/mail/sender_list.h"
#include "gateway/mail/dsn_request.h"

// What a session asks the judge, and what it hears.  The session only speaks SMTP; facts and
// rules live behind this interface (filters/), which smtp never includes.
namespace postern::smtp {

// The six stages; design 6.
enum class Stage { connect, mail, rcpt, message, verdict, deliver };
std::string_view name(Stage stage);

// What a stage decided.  `none`: no rule said anything that decides.
enum class Action { none, accept, defer, quarantine, reject };
std::string_view name(Action action);

// One rule that spoke, or failed.
struct Hit {
  std::string rule;
  Stage stage = Stage::message;
  std::string kind;       // "score", "tag", "accept", "defer", "quarantine", "reject", "redirect", "journal", "error"
  double points = 0;      // of a score
  std::string why;        // for humans
  std::string at;         // "rules/10-connect.lua:11"
  std::chrono::microseconds took{0};
  std::string recipient;  // stages rcpt and deliver
  bool shadow = false;    // shown, not counted
  bool off = false;       // this rule is switched off and did not run; `why` says so
};

// The client's side of a connection, after XCLIENT or PROXY have said who it really is.
struct Client {
  std::string session;    // id in the log
  IpAddress ip;
  bool known = true;      // false: `ip` is only our relay's, which did not say whose the message is
  std::uint16_t port = 0;
  std::string helo;       // as given; empty before HELO/EHLO
  bool esmtp = false;
  bool lmtp = false;      // RFC 2033: a server of ours has taken the message; a rejection would only make it write a bounce
  io::TlsInfo tls;        // empty version: plaintext
  std::string login;      // authenticated user, or empty
  bool trusted = false;   // in smtp.trusted
  bool submission = false;   // RFC 6409: came to a port for users of ours
  // What comes of it is mail of our users on its way out, also to each other.  A host in smtp.trusted hands over what
  // others wrote, in both directions, and there is no mailbox of its sender's here: its mail counts as coming in.
  bool outgoing() const { return submission || !login.empty(); }
};

// MAIL FROM, without angle brackets; "" is the null reverse-path.
struct Sender {
  std::string address;
  std::uint64_t declared_size = 0;   // SIZE=, 0: none
  bool smtputf8 = false;
  bool eight_bit = false;            // BODY=8BITMIME
  std::string ret;                   // RFC 3461 4.3: "FULL", "HDRS", or "" when it was not given
  std::string envid;                 // RFC 3461 4.4, the value as it came; "": none
};

// A recipient that the directory knows.  Of an address that leads to several there is one for each; all of a RCPT have
// what its parameters said.
struct Recipient {
  std::string address;               // who gets the message: as given in RCPT TO, without brackets, or where that leads to
  std::string account;               // the user's own address; may differ by +tag, alias, catch-all
  std::vector<std::string> groups = {};
  std::string onward = {};                // the domain, where its mail goes on to a server of its own; "": a mailbox here
  bool confirmed = true;             // somebody knows this address; false: a domain is taken as it comes
  std::shared_ptr<const mail::SenderList> senders = {};   // what the user has said of senders; null: nothing
  mail::Notify notify = {};          // RFC 3461 4.1: what its sender wants to hear of
  std::string orcpt = {};            // RFC 3461 4.2, the value as it came; "": none
  std::string given = {};            // as in RCPT TO, where that leads to `address`; "": the same
  std::string sent_by = {};          // the address of ours that sends it on to a foreign one, and only if it is good
  std::vector<std::string> forward = {};  // foreign addresses that get what is good as well, sent by `account`
  bool keep = true;                  // with `forward`: he keeps a copy of what is good

  const std::string& rcpt() const { return given.empty() ? address : given; }
};

// What the stages connect, mail and rcpt give.  A refusal's `reply` is ready to be sent: the
// strongest harmless reason, without code.  By LMTP nothing is rejected: what comes of it is held.
struct Decision {
  Action action = Action::none;      // never quarantine
  std::string reply;
  std::string rule;
  std::string at;
  std::string why;                   // for the log: what the rule said, or how it failed
  bool error = false;                // the action is a defer because a rule failed (451 4.7.0)
  bool refuses() const { return action == Action::reject || action == Action::defer; }
};

// What becomes of one recipient's copy.
struct RecipientVerdict {
  std::string address;               // Recipient::address
  Action action = Action::accept;    // accept (also for tag), quarantine, reject, defer
  std::string folder = "INBOX";      // "INBOX", "Junk", "Quarantine", or what tag() named
  std::string quarantine_class;      // "spam", "virus", "policy"
  std::string redirect;              // address, or empty
  double score = 0;                  // with this recipient's own points
  std::string reply;                 // for reject and defer
  bool refused() const { return action == Action::reject || action == Action::defer; }
};

struct MessageVerdict {
  std::string verdict = "ham";       // of the message: ham junk quarantine reject defer
  double score = 0;
  std::string reply;                 // text behind the code, with the id
  bool error = false;                // deferred because a rule or a fact failed
  std::vector<RecipientVerdict> recipients;   // in the order of the envelope
  std::vector<std::string> journals; // addresses that get a copy of what is taken, whatever becomes of it
  std::vector<Hit> hits;             // all stages, in reading order
  std::string authentication_results;         // header field with CRLF at its end, RFC 8601
  std::string facts;                 // JSON object for trace and explain, design 7
  std::string generation;            // hash of the rule set
  std::string client_name;           // forward-confirmed name of the client, if it was looked up
  bool sender_proved = false;        // SPF passed, or a signature of the sender's domain: a DSN would reach who wrote
};

// The judge's memory of one connection.  All tasks run on the session's loop; the object must
// outlive them.  A new transaction begins with on_mail.
class Examination {
 public:
  virtual ~Examination() = default;
  // `client` is handed anew with each call because HELO, TLS and XCLIENT change it.
  virtual io::Task<Decision> on_connect(Client client) = 0;
  virtual io::Task<Decision> on_mail(Client client, Sender sender) = 0;
  virtual io::Task<Decision> on_rcpt(Client client, Recipient recipient) = 0;
  // Stages message, verdict, deliver.  `id`: the message's id; `received`: the octets as received.
  virtual io::Task<MessageVerdict> on_message(Client client, std::string id, Octets received,
                                              std::vector<Recipient> recipients) = 0;
  virtual void on_reset() = 0;       // RSET or a failed transaction: forget the envelope
};

class Judge {
 public:
  virtual ~Judge() = default;
  // To be called on the loop on which the examination will run.
  virtual std::unique_ptr<Examination> examine() = 0;
};

}  // namespace postern::smtp
