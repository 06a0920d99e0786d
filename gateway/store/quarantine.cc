// The rules of the quarantine, in one table.
#include "gateway/store/quarantine.h"

#include "gateway/base/log.h"
#include "gateway/store/names.h"

namespace postern::store {
namespace {

constexpr std::string_view kPending = "/Pending", kApprove = "/Approve";

// Folders that mean something else than "keep this message".
bool is_reserved(const MailboxInfo& mailbox) {
  for (std::string_view name : {kHeldMailbox, std::string_view("Recover"), std::string_view("Lists"), std::string_view("Quarantine"), std::string_view("Quarantine of others")}) {
    if (mailbox.name == name || is_below(mailbox.name, name)) return true;
  }
  return false;
}

// What lies there waits for a moderator of the list that the name tells.
Passage moderated(const MailboxInfo& from, const MailboxInfo& to) {
  auto list = from.name.substr(0, from.name.size() - kPending.size());
  if (to.name == list + std::string(kApprove)) return Passage::release;
  return to.use == SpecialUse::trash ? Passage::ordinary : Passage::cannot;
}

}  // namespace

bool is_pending(const MailboxInfo& mailbox) { return is_below(mailbox.name, "Lists") && mailbox.name.ends_with(kPending); }

Passage passage(const MailboxInfo& from, const MailboxInfo& to, HeldMark held, bool moving) {
  // The notice stands for a message that its reader must not get; he may only throw it away.
  if (held == HeldMark::notice) return moving && to.use == SpecialUse::trash ? Passage::keep : Passage::noperm;
  if (held == HeldMark::outgoing && is_pending(from)) return moderated(from, to);
  // Who sends in somebody's name is logged in as him: an administrator decides.
  if (held == HeldMark::outgoing) return moving && to.use == SpecialUse::trash ? Passage::keep : Passage::noperm;
  bool bound = held == HeldMark::held;
  if (to.name == kAlwaysAllow) return bound ? Passage::release : Passage::ordinary;
  if (to.name == kAlwaysBlock) return bound ? Passage::keep : Passage::ordinary;
  switch (to.use) {
    case SpecialUse::quarantine:
    case SpecialUse::trash:
    case SpecialUse::junk: return bound ? Passage::keep : Passage::ordinary;
    case SpecialUse::sent:
    case SpecialUse::drafts: return bound || from.use == SpecialUse::quarantine ? Passage::cannot : Passage::ordinary;
    case SpecialUse::none:
    case SpecialUse::inbox:
    case SpecialUse::archive: break;
  }
  if (is_reserved(to)) return bound || from.use == SpecialUse::quarantine ? Passage::cannot : Passage::ordinary;
  return bound ? Passage::release : Passage::ordinary;
}

std::optional<mail::SenderWord> word_of(const MailboxInfo& to) {
  if (to.name == kAlwaysAllow) return mail::SenderWord::allow;
  if (to.name == kAlwaysBlock) return mail::SenderWord::block;
  return {};
}

bool takes_back(const MailboxInfo& from, const MailboxInfo& to) {
  if (from.name != kAlwaysBlock || word_of(to)) return false;
  return to.use != SpecialUse::trash && to.use != SpecialUse::junk && to.use != SpecialUse::quarantine && !is_reserved(to);
}

void log_release(const MailboxInfo& from, const MailboxInfo& to, const StoredMessage& message, Uid uid) {
  log::info("quarantine.release", {{"message", message.id},
                                   {"account", std::to_string(to.account)},
                                   {"from", from.name},
                                   {"to", to.name},
                                   {"uid", std::to_string(uid)},
                                   {"class", message.held ? message.held->message_class : std::string()},
                                   {"sender", message.held ? message.held->sender : std::string()}});
}

}  // namespace postern::store
