#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/pop3/command.h"
#include "gateway/pop3/multiline.h"
#include "gateway/pop3/services.h"

namespace postern::pop3 {

// One line, "+OK ..." or "-ERR ...", without its line end.
struct Reply {
  explicit Reply(std::string text) : line(std::move(text)) {}
  static Reply ok(std::string_view text) { return Reply("+OK " + std::string(text)); }
  static Reply err(std::string_view text) { return Reply("-ERR " + std::string(text)); }
  // `code`: RFC 2449 8, RFC 3206 4: "AUTH", "SYS/TEMP", "SYS/PERM", "IN-USE".
  static Reply err(std::string_view code, std::string_view text) { return Reply("-ERR [" + std::string(code) + "] " + std::string(text)); }
  bool is_error() const { return line.starts_with('-'); }
  std::string line;
};

// One POP3 connection, RFC 1939: one coroutine on one loop; the commands are in cmd_*.cc.
//
// The maildrop is the INBOX as it was at the login: message numbers, sizes and unique-ids do not
// change during a session whatever comes in or is expunged elsewhere.  Nothing is deleted before
// QUIT (RFC 1939 6); a session that ends otherwise leaves all as it was.
class Session {
 public:
  Session(io::Stream stream, const Services& services, bool implicit_tls);
  Session(const Session&) = delete;
  // Ends when the connection is over; throws nothing of it.
  io::Task<void> run();

 private:
  enum class State : std::uint8_t { authorization, transaction, over };

  io::Task<void> converse();
  io::Task<std::optional<std::string>> read_command();   // nothing: it was answered already, or all is over
  io::Task<io::Line> next_line();                        // throws Closed when the program ends
  io::Task<void> obey(Command command);
  std::optional<Reply> out_of_place(Verb verb) const;
  Reply here_and_now(const Command& command);            // the commands that wait for nothing
  // Puts the reply behind what is enqueued already, and sends when no further command waits.
  io::Task<void> say(Reply reply);
  io::Task<void> say_lines(std::string first, std::string lines);
  void end(std::string_view why) {
    state_ = State::over;
    why_ = why;
  }
  Deadline read_deadline() const;
  Deadline write_deadline() const { return in(services_.timeouts.write); }

  // cmd_auth.cc
  Reply cmd_user(const std::string& name);
  io::Task<Reply> cmd_pass(std::string password);
  io::Task<Reply> cmd_auth(std::string argument);
  io::Task<Reply> log_in(std::string login, std::string password);
  io::Task<Reply> open_maildrop(store::Account account);
  bool may_send_password() const { return stream_.is_tls() || services_.allow_plaintext_login; }
  // cmd_stls.cc
  io::Task<void> cmd_stls();
  // cmd_capa.cc
  std::string capabilities() const;
  // cmd_list.cc
  Reply cmd_stat() const;
  io::Task<void> cmd_list(std::string argument, bool unique_ids);
  std::string listing(std::size_t index, bool unique_ids) const;
  // cmd_retr.cc
  io::Task<void> cmd_retr(std::string argument);
  io::Task<void> cmd_top(std::string argument);
  io::Task<void> send_message(std::size_t index, std::optional<std::uint64_t> body_lines);
  // cmd_dele.cc
  Reply cmd_dele(const std::string& argument);
  Reply cmd_rset();
  io::Task<void> cmd_quit();

  // The index of a message that is there and not marked; nothing otherwise.
  std::optional<std::size_t> find(std::optional<std::uint32_t> number) const;

  io::Stream stream_;
  const Services& services_;
  bool implicit_tls_;
  std::string id_;
  IpAddress client_;
  Deadline login_until_;
  State state_ = State::authorization;
  std::string why_;                                    // it ended, for the log
  std::string user_;                                   // of USER
  std::uint64_t errors_ = 0;
  std::uint64_t failed_logins_ = 0;
  std::uint64_t retrieved_ = 0, erased_ = 0;
  // In the transaction state:
  std::string account_;
  std::optional<Maildrops::Lock> lock_;
  std::unique_ptr<store::MailboxWatch> watch_;
  std::shared_ptr<const store::MailboxView> view_;     // of the login
  std::vector<bool> marked_;                           // by DELE
};

}  // namespace postern::pop3
