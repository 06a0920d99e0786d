// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, NAMESPACE.  RFC 3501 6.3.3-10, RFC 2342.
#include "gateway/base/text.h"
#include "gateway/imap/mailbox_name.h"
#include "gateway/imap/session.h"
#include "gateway/store/names.h"

namespace postern::imap {
namespace {

Reply cannot(std::string_view why) { return Reply::no("[CANNOT] " + std::string(why)); }

// A name for a mailbox that is to be made, or why not.
Result<std::string> new_name(const std::optional<std::string>& name) {
  if (!name) return Error("the mailbox name is no modified UTF-7");
  auto trimmed_name = *name;
  // RFC 3501 6.3.3: "foo/" declares that children will be made; it is made the same.
  if (trimmed_name.size() > 1 && trimmed_name.back() == kDelimiter) trimmed_name.pop_back();
  return store::mailbox_name(trimmed_name);
}

}  // namespace

io::Task<Reply> cmd_create(Session& session, Call& call) {
  auto wanted = call.args.mailbox();
  if (!wanted || !call.args.at_end()) co_return Reply::bad("CREATE: wants the name of a mailbox");
  auto name = new_name(*wanted);
  if (!name) co_return cannot(name.error().text);
  if (*name == "INBOX") co_return Reply::no("[ALREADYEXISTS] INBOX is always there");
  if (session.account().admin && (*name == kOthers || store::is_below(*name, kOthers))) co_return cannot("these mailboxes are there by themselves");
  auto created = co_await session.store().create_mailbox(session.account().id, *name, store::SpecialUse::none);
  if (!created.ok()) co_return Reply::refused(created);
  co_return Reply::ok("CREATE completed");
}

io::Task<Reply> cmd_delete(Session& session, Call& call) {
  auto name = call.args.mailbox();
  if (!name || !call.args.at_end()) co_return Reply::bad("DELETE: wants the name of a mailbox");
  if (!*name) co_return no_such_mailbox();
  if (**name == "INBOX") co_return cannot("INBOX cannot be deleted");
  auto info = session.store().mailbox(session.account().id, **name);
  auto removed = co_await session.store().remove_mailbox(session.account().id, **name);
  if (!removed.ok()) co_return Reply::refused(removed);
  if (info) session.services().recent->forget(info->id);
  co_return Reply::ok("DELETE completed");
}

io::Task<Reply> cmd_rename(Session& session, Call& call) {
  auto from = call.args.mailbox();
  bool between = call.args.sp();
  auto to = call.args.mailbox();
  if (!from || !between || !to || !call.args.at_end()) co_return Reply::bad("RENAME: wants two names");
  if (!*from) co_return no_such_mailbox();
  auto name = new_name(*to);
  if (!name) co_return cannot(name.error().text);
  if (*name == "INBOX") co_return Reply::no("[ALREADYEXISTS] INBOX is always there");
  if (session.account().admin && (*name == kOthers || store::is_below(*name, kOthers))) co_return cannot("these mailboxes are there by themselves");
  if (name->starts_with(**from + kDelimiter) && **from != "INBOX") co_return cannot("a mailbox cannot move into itself");
  auto renamed = co_await session.store().rename_mailbox(session.account().id, **from, *name);
  if (!renamed.ok()) co_return Reply::refused(renamed);
  co_return Reply::ok("RENAME completed");
}

namespace {

io::Task<Reply> set_subscribed(Session& session, Call& call, bool subscribed) {
  auto name = call.args.mailbox();
  if (!name || !call.args.at_end()) co_return Reply::bad("wants the name of a mailbox");
  if (!*name) co_return no_such_mailbox();
  auto changed = co_await session.store().subscribe(session.account().id, **name, subscribed);
  if (!changed.ok()) co_return Reply::refused(changed);
  co_return Reply::ok("completed");
}

}  // namespace

io::Task<Reply> cmd_subscribe(Session& session, Call& call) {
  auto reply = co_await set_subscribed(session, call, true);
  co_return reply;
}

io::Task<Reply> cmd_unsubscribe(Session& session, Call& call) {
  auto reply = co_await set_subscribed(session, call, false);
  co_return reply;
}

io::Task<Reply> cmd_namespace(Session& session, Call&) {
  // RFC 2342 5: what others' quarantines hold is in the namespace of other users.
  auto others = session.account().admin ? "((\"" + std::string(kOthers) + "/\" \"/\"))" : std::string("NIL");
  session.enqueue("* NAMESPACE ((\"\" \"/\")) " + others + " NIL\r\n");
  co_return Reply::ok("NAMESPACE completed");
}

io::Task<Reply> cmd_status(Session& session, Call& call) {
  auto name = call.args.mailbox();
  if (!name || !call.args.sp() || !call.args.accept('(')) co_return Reply::bad("STATUS: wants a mailbox and a list");
  std::vector<std::string> items;
  do {
    auto item = call.args.atom();
    if (!item || items.size() == 20) co_return Reply::bad("STATUS: cannot read the items");
    items.push_back(ascii_uppered(*item));
  } while (call.args.sp());
  if (!call.args.accept(')') || !call.args.at_end()) co_return Reply::bad("STATUS: cannot read the items");
  std::optional<FoundMailbox> found;
  if (*name) found = co_await find_mailbox(session, **name);
  if (found) audit(session, found->others, "STATUS", "");
  auto info = found ? std::optional(found->info) : std::nullopt;
  std::string line = "* STATUS ";
  if (info) append_mailbox(line, info->name);
  line += " (";
  for (const auto& item : items) {
    if (line.back() != '(') line += ' ';
    line += item + ' ';
    if (item == "MESSAGES") {
      line += std::to_string(info ? info->messages : 0);
    } else if (item == "UIDNEXT") {
      line += std::to_string(info ? info->uidnext : 0);
    } else if (item == "UIDVALIDITY") {
      line += std::to_string(info ? info->uidvalidity : 0);
    } else if (item == "UNSEEN") {
      line += std::to_string(info ? info->unseen : 0);
    } else if (item == "RECENT") {
      std::uint32_t recent = 0;
      if (info) {
        auto watch = co_await session.store().watch(info->id);
        if (!watch) co_return Reply::no("[SERVERBUG] the mailbox cannot be read");
        auto view = *watch ? (*watch)->latest() : nullptr;
        if (view) recent = session.services().recent->count(*view);
      }
      line += std::to_string(recent);
    } else {
      co_return Reply::bad("STATUS: unknown item");
    }
  }
  if (!info) co_return no_such_mailbox();
  session.enqueue(line + ")\r\n");
  co_return Reply::ok("STATUS completed");
}

}  // namespace postern::imap
