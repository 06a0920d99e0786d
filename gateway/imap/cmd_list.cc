// LIST and LSUB.  RFC 3501 6.3.8-9, RFC 5258.
#include "gateway/imap/list.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

std::string answer_line(std::string_view command, const ListAnswer& answer) {
  std::string line = "* " + std::string(command) + " (";
  for (auto attribute : answer.attributes) {
    if (line.back() != '(') line += ' ';
    line += attribute;
  }
  line += ") \"/\" ";
  append_mailbox(line, answer.name);
  if (answer.child_info) line += " (\"CHILDINFO\" (\"SUBSCRIBED\"))";
  return line + "\r\n";
}

bool asks_for_delimiter(const ListRequest& request) {
  return !request.extended && request.patterns.size() == 1 && request.patterns[0].empty();
}

io::Task<void> send(Session& session, std::string_view command, std::vector<ListAnswer> answers) {
  for (const auto& answer : answers) {
    session.enqueue(answer_line(command, answer));
    co_await session.relieve();
  }
}

}  // namespace

io::Task<Reply> cmd_list(Session& session, Call& call) {
  auto request = parse_list(call.args);
  if (!request) co_return Reply::bad("LIST: " + request.error().text);
  if (asks_for_delimiter(*request)) {  // RFC 3501 6.3.8: the delimiter and the root
    session.enqueue("* LIST (\\Noselect) \"/\" \"\"\r\n");
    co_return Reply::ok("LIST completed");
  }
  auto id = session.account().id;
  co_await send(session, "LIST", list(*request, session.store().mailboxes(id), session.store().subscriptions(id)));
  co_return Reply::ok("LIST completed");
}

io::Task<Reply> cmd_lsub(Session& session, Call& call) {
  auto request = parse_list(call.args);
  if (!request || request->extended) co_return Reply::bad("LSUB: wants a reference and a pattern");
  if (asks_for_delimiter(*request)) {
    session.enqueue("* LSUB (\\Noselect) \"/\" \"\"\r\n");
    co_return Reply::ok("LSUB completed");
  }
  co_await send(session, "LSUB", lsub(*request, session.store().subscriptions(session.account().id)));
  co_return Reply::ok("LSUB completed");
}

}  // namespace postern::imap
