#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/delivery/link_release.h"
#include "gateway/io/stream.h"
#include "gateway/smtp/body_reader.h"
#include "gateway/smtp/command.h"
#include "gateway/smtp/reply.h"
#include "gateway/smtp/services.h"
#include "gateway/store/trace.h"
#include "gateway/store/types.h"

namespace postern::directory {
struct Expansion;
struct Resolution;
}
namespace postern::delivery {
struct Judged;
}

namespace postern::smtp {

// What is spoken on a port: RFC 5321 with anybody, RFC 6409 with users of ours, RFC 2033 with servers of ours.
enum class Dialect { smtp, submission, lmtp };

// The envelope of one mail transaction, RFC 5321 3.3.
struct Transaction {
  std::string id;
  Sender sender;
  std::vector<Recipient> recipients;      // aliases and forwards are followed: these get the message
  std::set<std::string> reached;          // their addresses: whatever leads there, it is one copy
  std::vector<delivery::Releasable> releases;   // named by addresses that bear a token: the message itself goes nowhere for them
  std::vector<std::string> accepted;      // the recipient of each RCPT that had 250; LMTP answers each, RFC 2033 4.2
  std::uint64_t rcpt_commands = 0;
  std::unique_ptr<io::Draft> draft;       // between BDAT chunks
  Deadline body_ends{};                   // set with the draft: a body in chunks has no more time than one by DATA
  char last_octet = 0;
  BodyEnd body = BodyEnd::complete;   // what the chunks so far came to
};

// One SMTP connection from greeting to QUIT, RFC 5321.  One coroutine on one loop; the commands
// are in cmd_*.cc, one file each.  The session only speaks SMTP: what is allowed is asked of the
// judge and the directory.
class Session {
 public:
  // `implicit_tls`: the handshake comes first.  `services` must outlive the session.
  Session(io::Stream stream, const Services& services, bool implicit_tls, Dialect dialect = Dialect::smtp);
  ~Session();

  // Ends when the connection is over; throws io::Closed and io::TimedOut.
  io::Task<void> run();

 private:
  io::Task<void> converse();
  io::Task<void> come_in();                 // limits, PROXY, early talker, stage connect, greeting; or it ends here
  io::Task<std::string> read_proxy_header();
  io::Task<bool> waited_for_greeting();
  io::Task<void> wait_for_quit();           // RFC 5321 3.1: 503 to anything else
  io::Task<std::optional<std::string>> read_command();
  io::Task<std::optional<Reply>> handle(Command command);   // nothing: all was said

  Reply cmd_helo(const Command& command);
  io::Task<Reply> cmd_mail(std::string argument);
  io::Task<Reply> cmd_rcpt(std::string argument);
  std::optional<Reply> find_all(const directory::Resolution& resolved, const Recipient& given, std::vector<Recipient>& all) const;
  io::Task<std::optional<Reply>> find_onward(const directory::Resolution& resolved, Recipient& recipient);
  io::Task<Reply> cmd_data(std::string argument);
  bool names_release(const mail::Path& path) const;
  Reply rcpt_release(const mail::Path& path);
  io::Task<std::optional<Reply>> release_held();
  bool has_recipients() const;
  io::Task<Reply> cmd_bdat(std::string argument);
  io::Task<std::optional<Reply>> cmd_starttls(std::string argument);
  io::Task<Reply> cmd_auth(std::string argument);
  io::Task<Reply> cmd_xclient(std::string argument);
  Reply cmd_xforward(const std::string& argument);
  Reply cmd_vrfy(const std::string& argument) const;
  Reply cmd_rset();

  // cmd_data and cmd_bdat: what the end of a body means.
  io::Task<Reply> finish_body(BodyEnd end, io::Draft& draft);
  bool has_come_back(std::string_view message) const;
  std::optional<Reply> refuse_for_list(const directory::Resolution& list, const std::string& address) const;
  std::optional<Reply> refuse_for_lists(std::string_view message) const;
  io::Task<Reply> judge_and_deliver(Octets received);
  io::Task<std::optional<Reply>> hand_through(std::shared_ptr<delivery::Judged> judged, Reply answer);
  Reply for_each_recipient(Reply answer, const std::vector<std::string>& accepted);
  // cmd_auth.cc
  struct Response;
  bool offers_auth() const;
  io::Task<Response> challenge(std::string text);
  io::Task<Response> plain_message(std::string initial);
  io::Task<Reply> auth_plain(std::string initial);
  io::Task<Reply> auth_login(std::string initial);
  io::Task<Reply> log_in(std::string login, std::string password);
  // submission.cc
  std::optional<Reply> refuse_stopped(store::AccountId account, int code) const;
  std::optional<Reply> refuse_sender(const mail::Path& sender) const;
  std::optional<Reply> refuse_suppressed(const std::string& address) const;
  std::optional<Reply> complete_submitted(Octets& message) const;

  io::Task<Decision> examine_anew();        // stage connect for origin()
  Reply greeting() const;
  Reply at_the_door(const Decision& decision) const;
  Reply refused_by_rule(Stage stage, const Decision& decision, std::string_view recipient = {});
  // trace.cc: what no message's trace tells
  Reply with_id(const Reply& answer) const;
  void trace_refused(std::string_view stage, const Reply& answer, const std::string& asked_for = "");
  config::Language language_for(std::string_view recipient) const;
  bool may_say_utf8() const;
  void note_refusal(Stage stage, const Decision& decision);
  BodyLimits body_limits() const;
  void forget_transaction();
  bool may_xclient() const;
  bool may_xforward() const;
  std::string refuse_stranger() const;      // why LMTP is not spoken with this client, or ""
  bool is_lmtp() const { return dialect_ == Dialect::lmtp; }
  bool is_submission() const { return dialect_ == Dialect::submission; }
  bool too_many(std::uint64_t count, std::uint64_t limit) const;
  bool is_counted() const;                  // by the rates of the client's address and network
  void count_error();                       // ends the session when there were too many
  const Client& origin() const { return forwarded_ ? *forwarded_ : client_; }   // whom the judge hears of
  io::Task<void> say(const Reply& reply, bool grouped = false);
  void finish(std::string why);             // no further command
  Deadline reply_deadline() const { return in(settings_->reply_timeout); }

  io::Stream stream_;
  const Services& services_;
  std::shared_ptr<const Settings> settings_;
  bool implicit_tls_;
  Dialect dialect_;
  IpAddress connected_from_;               // the peer, or whom its PROXY header names; XCLIENT does not change it
  bool behind_proxy_ = false;
  Client client_;                          // who is connected, or whom PROXY or XCLIENT name
  std::optional<Client> forwarded_;        // whom XFORWARD names, for one transaction
  std::optional<store::Account> account_;  // of who logged in
  int failed_logins_ = 0;
  std::unique_ptr<Examination> examination_;   // nothing: begins with MAIL
  ConnectionLimits::Place place_;
  std::optional<Transaction> transaction_;
  std::uint64_t errors_ = 0;
  std::uint64_t idle_commands_ = 0;        // since the last message: NOOP, RSET, VRFY ... are not endless
  std::string ending_;                     // why no further command is read; "quit", or for the log
  std::string asked_for_;                  // the address of the MAIL or RCPT that is being answered
  std::optional<Decision> refusal_;        // of the rule that refused it
  store::TraceLine traced_;                // what of this session is in the trace
  std::uint64_t refusals_ = 0;
};

}  // namespace postern::smtp
