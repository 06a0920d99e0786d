// STARTTLS, LOGIN and AUTHENTICATE PLAIN.  RFC 3501 6.2, RFC 4616, RFC 4959.
#include "gateway/base/text.h"
#include "gateway/directory/sasl_plain.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSaslLine = 8 * 1024;

Reply needs_tls() { return Reply::no("[PRIVACYREQUIRED] a password is taken over TLS only"); }

}  // namespace

io::Task<Reply> cmd_starttls(Session& session, Call& call) {
  auto context = session.services().tls ? session.services().tls() : nullptr;
  if (session.stream().is_tls()) co_return Reply::bad("TLS is in use already");
  if (!context) co_return Reply::no("[UNAVAILABLE] TLS is not available");
  session.enqueue(Reply::ok("begin TLS now").line(call.tag));
  co_await session.flush();
  co_await session.stream().start_tls(std::move(context), in(1min));
  co_return Reply::said();
}

io::Task<Reply> cmd_login(Session& session, Call& call) {
  auto name = call.args.astring();
  bool between = call.args.sp();
  auto password = call.args.astring();
  if (!name || !between || !password || !call.args.at_end()) co_return Reply::bad("LOGIN: wants a name and a password");
  if (!session.may_send_password()) co_return needs_tls();
  auto reply = co_await session.log_in(*std::move(name), *std::move(password));
  co_return reply;
}

io::Task<Reply> cmd_authenticate(Session& session, Call& call) {
  auto mechanism = call.args.atom();
  if (!mechanism) co_return Reply::bad("AUTHENTICATE: wants a mechanism");
  if (!iequals(*mechanism, "PLAIN")) co_return Reply::no("[CANNOT] only PLAIN is spoken here");
  if (!session.may_send_password()) co_return needs_tls();
  std::string response;
  if (call.args.sp()) {  // RFC 4959: the initial response
    response = call.args.rest();
  } else {
    if (!call.args.at_end()) co_return Reply::bad("AUTHENTICATE: cannot read the arguments");
    session.enqueue("+ \r\n");
    co_await session.flush();
    auto line = co_await session.stream().read_line(kMaxSaslLine, session.command_deadline());
    if (line.too_long) co_return Reply::bad("AUTHENTICATE: the response is too long");
    response = std::move(line.text);
    if (response == "*") co_return Reply::bad("AUTHENTICATE: cancelled");
  }
  auto plain = directory::parse_plain(response);
  if (!plain) co_return Reply::bad("AUTHENTICATE: the response is not of PLAIN, in base64");
  if (!plain->acts_for_itself()) co_return Reply::no("[AUTHORIZATIONFAILED] nobody may act for another user");
  auto reply = co_await session.log_in(std::move(plain->login), std::move(plain->password));
  co_return reply;
}

}  // namespace postern::imap
