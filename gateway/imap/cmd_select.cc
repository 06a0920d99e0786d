// SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE.  RFC 3501 6.3.1-2 and 6.4.2-3, RFC 3691, RFC 4315 2.1.
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

std::string first_unseen(Selected& selected) {
  const auto& view = selected.view();
  for (std::size_t i = 0; i < view.size(); ++i) {
    if ((view.at(i).flags & store::flag::seen) != 0) continue;
    auto number = std::to_string(i + 1);
    return "* OK [UNSEEN " + number + "] the first unseen message\r\n";
  }
  return {};
}

std::string description(Selected& selected) {
  const auto& view = selected.view();
  std::string out = flags_line(view);
  out += "* " + std::to_string(selected.exists()) + " EXISTS\r\n";
  out += "* " + std::to_string(selected.recent()) + " RECENT\r\n";
  out += first_unseen(selected);
  out += "* OK [UIDVALIDITY " + std::to_string(view.info().uidvalidity) + "] the uids are of this age\r\n";
  out += "* OK [UIDNEXT " + std::to_string(view.info().uidnext) + "] the next uid\r\n";
  if (selected.read_only()) {
    out += "* OK [PERMANENTFLAGS ()] no flag can be changed\r\n";
  } else {
    out += "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    for (const auto& keyword : view.keywords()) out += ' ' + keyword;
    out += view.keywords().size() < 64 ? " \\*)" : ")";
    out += "] these are kept\r\n";
  }
  return out;
}

io::Task<Reply> open_mailbox(Session& session, Call& call, bool read_only) {
  auto name = call.args.mailbox();
  if (!name || !call.args.at_end()) co_return Reply::bad("wants the name of a mailbox");
  session.unselect();  // RFC 3501 6.3.1: also when the attempt fails
  if (!*name) co_return no_such_mailbox();
  auto found = co_await find_mailbox(session, **name);
  if (!found) co_return no_such_mailbox();
  auto watch = co_await session.store().watch(found->info.id);
  if (!watch) co_return Reply::no("[SERVERBUG] the mailbox cannot be read");
  auto view = *watch ? (*watch)->latest() : nullptr;
  if (!view) co_return no_such_mailbox();
  session.select(*std::move(watch), std::move(view), read_only, std::move(found->others));
  audit(session, session.others(), read_only ? "EXAMINE" : "SELECT", "");
  session.enqueue(description(session.selected()));
  co_return Reply::ok(read_only ? "[READ-ONLY] EXAMINE completed" : "[READ-WRITE] SELECT completed");
}

}  // namespace

io::Task<Reply> cmd_select(Session& session, Call& call) {
  auto reply = co_await open_mailbox(session, call, false);
  co_return reply;
}

io::Task<Reply> cmd_examine(Session& session, Call& call) {
  auto reply = co_await open_mailbox(session, call, true);
  co_return reply;
}

io::Task<Reply> cmd_unselect(Session& session, Call&) {
  session.unselect();
  co_return Reply::ok("UNSELECT completed");
}

io::Task<Reply> cmd_close(Session& session, Call&) {
  auto mailbox = session.selected().id();
  if (!session.selected().read_only()) {
    auto expunged = co_await session.store().expunge(mailbox, std::nullopt);
    co_await forget_notices(session, expunged.uids);
    bool failed = !expunged.ok() && expunged.outcome != store::Outcome::no_mailbox;
    if (failed) session.unselect();
    if (failed) co_return Reply::refused(expunged);
  }
  session.unselect();
  co_return Reply::ok("CLOSE completed");
}

io::Task<Reply> cmd_expunge(Session& session, Call& call) {
  std::optional<std::vector<store::Uid>> uids;
  if (call.uid) {
    auto set = call.args.sequence_set();
    if (!set || !call.args.at_end()) co_return Reply::bad("UID EXPUNGE: wants a set of uids");
    auto messages = session.selected().find_lenient(*set, true);
    uids = session.selected().uids(messages);
  }
  if (session.selected().read_only()) co_return Reply::no("[READ-ONLY] the mailbox was opened with EXAMINE");
  auto expunged = co_await session.store().expunge(session.selected().id(), std::move(uids));
  if (!expunged.ok()) co_return Reply::refused(expunged);
  co_await forget_notices(session, expunged.uids);
  co_return Reply::ok("EXPUNGE completed");
}

}  // namespace postern::imap
