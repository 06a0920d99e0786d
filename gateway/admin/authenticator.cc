// Between IMAP and the logins that all protocols share.
#include "gateway/admin/authenticator.h"

namespace postern::admin {

io::Task<imap::LoginResult> Authenticator::check(imap::LoginAttempt attempt) {
  directory::Attempt asked(std::move(attempt.address), std::move(attempt.password), attempt.client, "imap", std::move(attempt.session));
  auto login = co_await logins_.check(std::move(asked));
  using Kind = imap::LoginResult::Kind;
  if (login.ok()) co_return imap::LoginResult(Kind::accepted, login.account.id, "");
  auto kind = login.kind == directory::Login::Kind::busy ? Kind::not_now : Kind::refused;
  co_return imap::LoginResult(kind, 0, std::move(login.text));
}

}  // namespace postern::admin
