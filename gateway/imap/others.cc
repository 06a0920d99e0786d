// The administrators' view of the quarantines of all users.
#include "gateway/imap/others.h"

#include <array>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/originals.h"
#include "gateway/imap/session.h"
#include "gateway/store/names.h"

namespace postern::imap {
namespace {

using Kind = Others::Kind;

constexpr std::array<std::pair<Kind, std::string_view>, 3> kChildren = {
    std::pair{Kind::blocked, std::string_view("/Always block")}, {Kind::originals, "/Viruses"}, {Kind::release, "/Release"}};

// As of now: somebody may have been an administrator when he logged in.
bool is_admin(const Session& session) {
  auto account = session.store().account(session.account().id);
  return account && account->admin;
}

bool is_others(std::string_view name) { return store::is_below(name, kOthers); }

// Whose mailbox a name means; nothing if there is no such user.
std::optional<Others> read_others(const store::Store& store, std::string_view name) {
  auto folder = name.substr(kOthers.size() + 1);
  Others out;
  for (const auto& [kind, child] : kChildren) {
    if (!folder.ends_with(child) || !delivery::user_of_folder(folder.substr(0, folder.size() - child.size()))) continue;
    out.kind = kind;
    folder.remove_suffix(child.size());
    break;
  }
  auto address = delivery::user_of_folder(folder);
  auto account = address ? store.account(*address) : std::nullopt;
  if (!account || delivery::user_folder(account->address) != folder) return std::nullopt;
  out.user = account->id;
  out.address = account->address;
  return out;
}

std::optional<store::MailboxInfo> mailbox_of(const store::Store& store, const Others& others) {
  if (others.kind == Kind::quarantine) return store.mailbox(others.user, store::SpecialUse::quarantine);
  if (others.kind == Kind::blocked) return store.mailbox(others.user, store::kAlwaysBlock);
  auto ours = store.account(delivery::kOriginalsAccount);
  if (!ours) return std::nullopt;
  auto folder = delivery::user_folder(others.address) + (others.kind == Kind::release ? "/Release" : "/Viruses");
  return store.mailbox(ours->id, folder);
}

std::string shown_name(const Others& others) {
  std::string out = std::string(kOthers) + "/" + delivery::user_folder(others.address);
  for (const auto& [kind, child] : kChildren) {
    if (kind == others.kind) out += child;
  }
  return out;
}

Reply cannot(std::string_view why) { return Reply::no("[CANNOT] " + std::string(why)); }

}  // namespace

io::Task<std::optional<FoundMailbox>> find_mailbox(Session& session, std::string name) {
  std::optional<FoundMailbox> out;
  auto own = session.store().mailbox(session.account().id, name);
  bool others_name = !own && is_others(name) && is_admin(session);
  auto others = others_name ? read_others(session.store(), name) : std::nullopt;
  if (others) {
    own = mailbox_of(session.store(), *others);
    auto ours = session.store().account(delivery::kOriginalsAccount);
    if (!own && ours && (others->kind == Kind::originals || others->kind == Kind::release)) {
      auto folder = shown_name(*others).substr(kOthers.size() + 1);
      auto made = co_await session.store().create_mailbox(ours->id, std::move(folder), store::SpecialUse::none);
      if (!made.ok()) log::warning("imap.others", {{"folder", name}, {"what", made.text}});
      own = mailbox_of(session.store(), *others);
    }
    if (own) own->name = std::move(name);
  }
  if (!own) co_return out;
  out.emplace();
  out->info = std::move(*own);
  out->others = std::move(others);
  co_return out;
}

io::Task<std::vector<store::MailboxInfo>> others_mailboxes(Session& session) {
  std::vector<store::MailboxInfo> out;
  if (!is_admin(session)) co_return out;
  auto accounts = session.store().accounts();
  for (const auto& account : accounts) {
    co_await session.breathe();
    if (account.address.find('@') == std::string::npos) continue;
    std::vector<store::MailboxInfo> theirs;
    bool anything = false;
    for (auto kind : {Kind::quarantine, Kind::blocked, Kind::originals, Kind::release}) {
      Others others{account.id, account.address, kind};
      auto info = mailbox_of(session.store(), others);
      bool filled = info && info->messages > 0;
      anything = anything || filled;
      if (kind == Kind::blocked && !filled) continue;
      auto& shown = theirs.emplace_back(info.value_or(store::MailboxInfo()));
      shown.name = shown_name(others);
      shown.use = store::SpecialUse::none;
    }
    if (anything) out.insert(out.end(), theirs.begin(), theirs.end());
  }
  co_return out;
}

io::Task<Reply> release_of_others(Session& session, std::vector<store::Uid> uids, std::optional<Others> target, bool moving) {
  auto from = session.others();
  if (!from) co_return cannot("what is held for others comes there by itself");
  bool released = target && target->kind == Kind::release && target->user == from->user;
  if (!released) co_return cannot("what is held for " + from->address + " goes to his Release, or is expunged");
  if (from->kind == Kind::release) co_return cannot("it is released already");
  auto copied = co_await delivery::release_to_user(session.store(), session.selected().id(), std::move(uids), from->user, moving);
  if (!copied.ok()) co_return Reply::refused(copied);
  if (copied.uids.empty()) co_return Reply::no("[EXPUNGEISSUED] the messages are expunged");
  log::info("quarantine.release", {{"user", from->address}, {"messages", std::to_string(copied.uids.size())}, {"by", session.account().address}});
  co_return Reply::ok("released to " + from->address);
}

io::Task<void> forget_notices(Session& session, std::vector<store::Uid> expunged) {
  auto from = session.others();
  if (!from || from->kind != Kind::originals || expunged.empty()) co_return;
  std::vector<delivery::MessagePlace> originals;
  for (auto uid : expunged) originals.push_back({session.selected().id(), uid});
  auto erased = co_await delivery::erase_notices(session.store(), std::move(originals), from->user);
  if (!erased.ok()) log::warning("imap.others", {{"user", from->address}, {"what", erased.text}});
}

void audit(const Session& session, const std::optional<Others>& others, std::string_view command, std::string_view arguments) {
  if (!others) return;
  log::info("quarantine.access", {{"by", session.account().address}, {"user", others->address}, {"folder", shown_name(*others)},
                                  {"command", std::string(command)}, {"arguments", printable(arguments, 300)}, {"session", session.id()}});
}

}  // namespace postern::imap
