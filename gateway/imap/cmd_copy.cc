// COPY and MOVE with COPYUID.  RFC 3501 6.4.7, RFC 4315 3, RFC 6851.
#include "gateway/imap/sequence_set.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

std::string copyuid(const store::Copied& copied) {
  std::vector<std::uint32_t> from;
  // The pairs are ascending by source; so are the new uids, as the store gives them in that order.
  std::vector<std::uint32_t> made;
  for (auto [source, target] : copied.uids) {
    from.push_back(source);
    made.push_back(target);
  }
  return "[COPYUID " + std::to_string(copied.uidvalidity) + ' ' + compact_set(from) + ' ' + compact_set(made) + ']';
}

io::Task<Reply> copy_or_move(Session& session, Call& call, bool move) {
  auto set = call.args.sequence_set();
  bool between = call.args.sp();
  auto name = call.args.mailbox();
  if (!set || !between || !name || !call.args.at_end()) co_return Reply::bad("wants a set and a mailbox");
  auto& selected = session.selected();
  auto messages = selected.find(*set, call.uid);
  if (!messages) co_return Reply::bad(messages.error().text);
  if (move && selected.read_only()) co_return Reply::no("[READ-ONLY] the mailbox was opened with EXAMINE");
  std::optional<FoundMailbox> target;
  if (*name) target = co_await find_mailbox(session, **name);
  if (!target) co_return Reply::no("[TRYCREATE] there is no such mailbox");
  auto uids = selected.uids(*messages);
  if (uids.empty()) {
    co_return messages->some_are_gone ? Reply::no("[EXPUNGEISSUED] the messages are expunged") : Reply::ok("there was nothing to do");
  }
  if (session.others() || target->others) {
    auto reply = co_await release_of_others(session, std::move(uids), std::move(target->others), move);
    co_return reply;
  }
  store::Copied copied;
  if (move) {
    copied = co_await session.store().move(selected.id(), std::move(uids), target->info.id);
  } else {
    copied = co_await session.store().copy(selected.id(), std::move(uids), target->info.id);
  }
  if (!copied.ok()) co_return Reply::refused(copied, true);
  if (copied.uids.empty()) co_return Reply::no("[EXPUNGEISSUED] the messages are expunged");
  // RFC 4315 3 gives uids of the mailbox that was named; INBOX tells of its new messages itself.
  if (copied.elsewhere) co_return Reply::ok(move ? "moved to INBOX; the sender is always allowed" : "copied to INBOX; the sender is always allowed");
  if (!move) co_return Reply::ok(copyuid(copied) + " COPY completed");
  // RFC 6851 4.3: COPYUID comes before the EXPUNGEs.
  session.enqueue("* OK " + copyuid(copied) + " moved\r\n");
  co_return Reply::ok("MOVE completed");
}

}  // namespace

io::Task<Reply> cmd_copy(Session& session, Call& call) {
  auto reply = co_await copy_or_move(session, call, false);
  co_return reply;
}

io::Task<Reply> cmd_move(Session& session, Call& call) {
  auto reply = co_await copy_or_move(session, call, true);
  co_return reply;
}

}  // namespace postern::imap
