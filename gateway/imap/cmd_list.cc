// LIST and LSUB.  RFC 3501 6.3.8-9, RFC 5258.
#include <iterator>

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

}  // namespace

io::Task<Reply> cmd_list(Session& session, Call& call) {
  auto request = parse_list(call.args);
  if (!request) co_return Reply::bad("LIST: " + request.error().text);
  if (asks_for_delimiter(*request)) {  // RFC 3501 6.3.8: the delimiter and the root
    session.enqueue("* LIST (\\Noselect) \"/\" \"\"\r\n");
    co_return Reply::ok("LIST completed");
  }
  auto id = session.account().id;
  auto mailboxes = session.store().mailboxes(id);
  auto others = co_await others_mailboxes(session);
  mailboxes.insert(mailboxes.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
  auto candidates = list_candidates(*request, mailboxes, session.store().subscriptions(id));
  for (const auto& answer : candidates) {
    if (matches_any(*request, answer.name)) session.enqueue(answer_line("LIST", answer));
    co_await session.relieve();
    co_await session.breathe();
  }
  co_return Reply::ok("LIST completed");
}

io::Task<Reply> cmd_lsub(Session& session, Call& call) {
  auto request = parse_list(call.args);
  if (!request) co_return Reply::bad("LSUB: " + request.error().text);
  if (request->extended) co_return Reply::bad("LSUB: wants a reference and a pattern");
  if (asks_for_delimiter(*request)) {
    session.enqueue("* LSUB (\\Noselect) \"/\" \"\"\r\n");
    co_return Reply::ok("LSUB completed");
  }
  std::map<std::string, bool> shown;
  auto subscriptions = session.store().subscriptions(session.account().id);
  for (const auto& subscription : subscriptions) {
    add_lsub(*request, subscription, shown);
    co_await session.breathe();
  }
  for (const auto& [name, itself] : shown) {
    ListAnswer answer;
    answer.name = name;
    if (!itself) answer.attributes.push_back("\\Noselect");
    session.enqueue(answer_line("LSUB", answer));
    co_await session.relieve();
  }
  co_return Reply::ok("LSUB completed");
}

}  // namespace postern::imap
