// Commands of every state: CAPABILITY, NOOP (and CHECK), LOGOUT (RFC 3501 6.1), ID (RFC 2971), ENABLE (RFC 5161).
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/imap/session.h"

namespace postern::imap {

io::Task<Reply> cmd_capability(Session& session, Call&) {
  session.enqueue("* CAPABILITY " + session.capabilities() + "\r\n");
  co_return Reply::ok("CAPABILITY completed");
}

// What changed is told behind every command, so this and CHECK have nothing to do.
io::Task<Reply> cmd_noop(Session&, Call&) { co_return Reply::ok("completed"); }

io::Task<Reply> cmd_logout(Session& session, Call&) {
  session.unselect();
  session.leave("goodbye", "logout");
  co_return Reply::ok("LOGOUT completed");
}

namespace {

constexpr std::size_t kMaxIdFields = 30;  // RFC 2971 3.3

// "(" field SP value ... ")" or NIL; gives it for the log.
std::optional<std::string> parse_id(Parser& args) {
  std::string out;
  if (args.accept_word("NIL")) return out;
  if (!args.accept('(')) return std::nullopt;
  if (args.accept(')')) return out;
  for (std::size_t count = 0; count < kMaxIdFields; ++count) {
    auto field = args.string();
    if (!field || field->size() > 30 || !args.sp()) return std::nullopt;
    auto value = args.nstring();
    if (!value || (*value && (*value)->size() > 1024)) return std::nullopt;
    out += (out.empty() ? "" : " ") + *field + "=" + value->value_or("");
    if (args.accept(')')) return out;
    if (!args.sp()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

io::Task<Reply> cmd_id(Session& session, Call& call) {
  auto told = parse_id(call.args);
  if (!told || !call.args.at_end()) co_return Reply::bad("ID: wants a list of strings or NIL");
  log::info("imap.id", {{"session", session.id()}, {"client", printable(*told)}});
  std::string line = "* ID (\"name\" \"Postern\" \"version\" ";
  append_string(line, session.services().version);
  session.enqueue(line + ")\r\n");
  co_return Reply::ok("ID completed");
}

io::Task<Reply> cmd_enable(Session& session, Call& call) {
  do {
    if (!call.args.atom()) co_return Reply::bad("ENABLE: wants names of capabilities");
  } while (call.args.sp());
  if (!call.args.at_end()) co_return Reply::bad("ENABLE: wants names of capabilities");
  // RFC 5161 3.1: unknown ones are ignored, and none of ours needs enabling.
  session.enqueue("* ENABLED\r\n");
  co_return Reply::ok("ENABLE completed");
}

}  // namespace postern::imap
