// USER, PASS and AUTH.  RFC 1939 7, RFC 5034, RFC 3206.
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/sasl_plain.h"
#include "gateway/pop3/session.h"

namespace postern::pop3 {
namespace {

constexpr std::uint64_t kMaxFailedLogins = 3;

// No [AUTH] here: it would make the client ask its user for another password.
Reply needs_tls() { return Reply::err("Passwords are taken over TLS only: use STLS or the port for TLS"); }

Reply already_in_use() { return Reply::err("IN-USE", "Another POP3 session has this mailbox"); }

}  // namespace

Reply Session::cmd_user(const std::string& name) {
  if (!may_send_password()) return needs_tls();
  if (name.empty()) return Reply::err("USER needs a name");
  user_ = name;
  return Reply::ok("Password, please");   // for every name: RFC 1939 7
}

io::Task<Reply> Session::cmd_pass(std::string password) {
  if (!may_send_password()) co_return needs_tls();
  if (user_.empty()) co_return Reply::err("USER first");
  std::string login = std::exchange(user_, {});
  auto reply = co_await log_in(std::move(login), std::move(password));
  co_return reply;
}

io::Task<Reply> Session::cmd_auth(std::string argument) {
  auto space = argument.find(' ');
  auto mechanism = argument.substr(0, space);
  if (mechanism.empty()) {
    // RFC 1734 clients ask so for the list.
    std::string list = may_send_password() ? "PLAIN\r\n." : ".";
    co_return Reply("+OK Mechanisms follow\r\n" + list);
  }
  if (!iequals(mechanism, "PLAIN")) co_return Reply::err("Unknown mechanism; PLAIN is there");
  if (!may_send_password()) co_return needs_tls();
  std::string response;
  if (space != std::string::npos) {
    response = argument.substr(space + 1);
  } else {
    stream_.enqueue("+ \r\n");
    co_await stream_.flush(write_deadline());
    auto line = co_await next_line();
    if (line.too_long) co_return Reply::err("The line is too long");
    if (line.text == "*") co_return Reply::err("Authentication cancelled");   // RFC 5034 4
    response = std::move(line.text);
  }
  auto credentials = directory::parse_plain(response);
  if (!credentials) co_return Reply::err("That is no SASL PLAIN message in base64");
  if (!credentials->acts_for_itself()) co_return Reply::err("AUTH", "Nobody may act for somebody else");
  auto reply = co_await log_in(std::move(credentials->login), std::move(credentials->password));
  co_return reply;
}

io::Task<Reply> Session::log_in(std::string login, std::string password) {
  // What is asked so far must not wait for the delay behind a failed login.
  co_await stream_.flush(write_deadline());
  directory::Attempt attempt(std::move(login), std::move(password), client_, "pop3", id_);
  auto answer = co_await services_.logins->check(std::move(attempt));
  if (answer.ok()) {
    auto reply = co_await open_maildrop(std::move(answer.account));
    co_return reply;
  }
  if (++failed_logins_ >= kMaxFailedLogins) end("too many failed logins");
  bool wrong = answer.kind == directory::Login::Kind::bad;
  co_return Reply::err(wrong ? "AUTH" : "SYS/TEMP", answer.text);
}

io::Task<Reply> Session::open_maildrop(store::Account account) {
  auto lock = services_.maildrops->take(account.id);
  if (!lock) co_return already_in_use();
  auto inbox = services_.store->mailbox(account.id, "INBOX");
  if (!inbox) co_return Reply::err("SYS/PERM", "This account has no INBOX");
  auto watch = co_await services_.store->watch(inbox->id);
  auto view = watch && *watch ? (*watch)->latest() : nullptr;
  if (view == nullptr) co_return Reply::err("SYS/TEMP", "The mailbox cannot be opened now");
  lock_.emplace(std::move(*lock));
  watch_ = *std::move(watch);
  view_ = std::move(view);
  marked_.assign(view_->size(), false);
  account_ = account.address;
  state_ = State::transaction;
  errors_ = 0;
  co_return Reply::ok(std::to_string(view_->size()) + " messages");
}

}  // namespace postern::pop3
