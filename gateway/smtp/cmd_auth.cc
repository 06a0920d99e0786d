// AUTH, RFC 4954, with PLAIN (RFC 4616) and LOGIN (never made a standard, and the only one that some mail programs
// know).  Only on the ports for submission, and only where nobody can listen.
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/logins.h"
#include "gateway/directory/sasl_plain.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxResponse = 12'288;   // RFC 4954 4
constexpr int kMaxFailedLogins = 3;

Reply not_base64() { return {501, "5.5.2", "That is no base64"}; }

}  // namespace

// What the client said to a challenge, still in base64; or why there is nothing.
struct Session::Response {
  std::string text;
  std::optional<Reply> problem;
};

bool Session::offers_auth() const {
  return is_submission() && services_.logins != nullptr && (stream_.is_tls() || services_.allow_plaintext_login);
}

io::Task<Reply> Session::cmd_auth(std::string argument) {
  auto parts = words(argument);
  if (!client_.esmtp) co_return reply::bad_sequence("EHLO first");
  if (account_) co_return reply::bad_sequence("You are logged in already");   // RFC 4954 4
  if (transaction_) co_return reply::bad_sequence("A message is under way; RSET drops it");
  if (parts.empty() || parts.size() > 2) co_return reply::syntax("Syntax: AUTH mechanism [initial-response]");
  bool plain = iequals(parts[0], "PLAIN");
  if (!plain && !iequals(parts[0], "LOGIN")) co_return Reply(504, "5.5.4", "Unknown mechanism; PLAIN and LOGIN are there");
  if (!offers_auth()) co_return Reply(538, "5.7.11", "Passwords are taken over TLS only: use STARTTLS or the port for TLS");
  std::string initial = parts.size() == 2 ? std::string(parts[1]) : "";
  if (plain) {
    auto answer = co_await auth_plain(std::move(initial));
    co_return answer;
  }
  auto answer = co_await auth_login(std::move(initial));
  co_return answer;
}

// RFC 4954 4: a line with "*" cancels.
io::Task<Session::Response> Session::challenge(std::string text) {
  stream_.enqueue(Reply(334, "", std::move(text)).wire());
  co_await stream_.flush(reply_deadline());
  auto line = co_await stream_.read_line(kMaxResponse, in(settings_->command_timeout));
  Response out;
  if (line.too_long) out.problem = Reply(500, "5.5.6", "The line is too long");
  else if (line.text == "*") out.problem = Reply(501, "5.7.0", "Authentication cancelled");
  else out.text = std::move(line.text);
  co_return out;
}

io::Task<Reply> Session::auth_plain(std::string initial) {
  if (initial.empty()) {
    auto response = co_await challenge("");
    if (response.problem) co_return *response.problem;
    initial = std::move(response.text);
  }
  auto credentials = directory::parse_plain(initial);
  if (!credentials) co_return Reply(501, "5.5.2", "That is no SASL PLAIN message in base64");
  if (!credentials->acts_for_itself()) co_return Reply(535, "5.7.8", "Nobody may act for somebody else");
  auto answer = co_await log_in(std::move(credentials->login), std::move(credentials->password));
  co_return answer;
}

io::Task<Reply> Session::auth_login(std::string initial) {
  if (initial.empty()) {
    auto response = co_await challenge(base64("Username:"));
    if (response.problem) co_return *response.problem;
    initial = std::move(response.text);
  }
  auto login = from_base64(initial);
  if (!login || login->empty()) co_return not_base64();
  auto response = co_await challenge(base64("Password:"));
  if (response.problem) co_return *response.problem;
  auto password = from_base64(response.text);
  if (!password || password->empty()) co_return not_base64();
  auto answer = co_await log_in(std::move(*login), std::move(*password));
  co_return answer;
}

io::Task<Reply> Session::log_in(std::string login, std::string password) {
  // What is asked so far must not wait for the delay behind a failed login.
  co_await stream_.flush(reply_deadline());
  directory::Attempt attempt(std::move(login), std::move(password), client_.ip, "smtp", client_.session);
  auto answer = co_await services_.logins->check(std::move(attempt));
  using Kind = directory::Login::Kind;
  if (answer.ok()) {
    auto stopped = refuse_stopped(answer.account.id, 525);
    if (stopped) co_return *stopped;
    account_ = std::move(answer.account);
    client_.login = account_->address;
    forget_transaction();
    co_return Reply(235, "2.7.0", "Logged in");
  }
  Reply refusal = answer.kind == Kind::bad ? Reply(535, "5.7.8", answer.text) : Reply(454, "4.7.0", answer.text);
  if (++failed_logins_ >= kMaxFailedLogins) refusal.then_close();
  co_return refusal;
}

}  // namespace postern::smtp
