// IDLE.  RFC 2177.
#include "gateway/base/text.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxDoneLine = 100;

}  // namespace

io::Task<Reply> cmd_idle(Session& session, Call&) {
  session.enqueue("+ idling\r\n");
  // RFC 2177 3: a client that is silent for 30 minutes may be logged out; it renews IDLE before.
  auto deadline = session.command_deadline();
  for (;;) {
    if (session.has_selected()) co_await session.tell_changes(true, {});
    auto event = co_await session.wait(true, deadline);
    if (event == Session::Event::input) break;
    if (event == Session::Event::drain) {
      session.leave("the server is shutting down");
      co_return Reply::said();
    }
    if (session.has_selected() && session.selected().is_gone()) {
      session.leave("the selected mailbox was deleted");
      co_return Reply::said();
    }
  }
  auto line = co_await session.stream().read_line(kMaxDoneLine, session.command_deadline());
  if (line.too_long || !iequals(line.text, "DONE")) co_return Reply::bad("IDLE: ends with DONE only");
  co_return Reply::ok("IDLE completed");
}

}  // namespace postern::imap
