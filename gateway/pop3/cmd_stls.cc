// STLS.  RFC 2595 4.
#include "gateway/pop3/session.h"

namespace postern::pop3 {

io::Task<void> Session::cmd_stls() {
  auto context = stream_.is_tls() ? nullptr : services_.tls();
  if (context == nullptr) {
    co_await say(Reply::err(stream_.is_tls() ? "TLS is on already" : "TLS is not available"));
    co_return;
  }
  stream_.enqueue("+OK Begin TLS\r\n");
  co_await stream_.flush(write_deadline());
  // Drops what was sent behind STLS in plaintext.
  co_await stream_.start_tls(std::move(context), read_deadline());
  // RFC 2595 4: what was learnt before is forgotten.
  user_.clear();
}

}  // namespace postern::pop3
