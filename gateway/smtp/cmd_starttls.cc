// STARTTLS, RFC 3207.
#include "gateway/base/log.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {

io::Task<std::optional<Reply>> Session::cmd_starttls(std::string argument) {
  auto context = services_.tls();
  if (stream_.is_tls()) co_return reply::bad_sequence("TLS is on already");
  if (!context) co_return Reply(502, "5.5.1", "STARTTLS is not offered");
  if (!argument.empty()) co_return reply::syntax("STARTTLS takes no argument");
  stream_.enqueue(Reply(220, "2.0.0", "Ready to start TLS").wire());
  co_await stream_.flush(reply_deadline());
  // What the client sent behind STARTTLS in plaintext could come from somebody in between: dropped.
  if (!stream_.buffered().empty()) {
    log::warning("smtp.starttls_injection", {{"session", client_.session}, {"ip", client_.ip.to_string()}});
  }
  co_await stream_.start_tls(std::move(context), in(settings_->tls_timeout));
  client_.tls = stream_.tls_info();
  client_.helo.clear();   // RFC 3207 4.2: all that was learnt before is forgotten
  client_.esmtp = false;
  client_.login.clear();
  account_.reset();
  forget_transaction();
  co_return std::nullopt;
}

}  // namespace postern::smtp
