#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/imap/response.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

// What administrators see of others' quarantines: the mailboxes "Quarantine of others/<domain>/<user>", where his
// Quarantine lies, and below it
//   Always block   his own, if something is in it
//   Viruses        the originals for his notices, with uids of their own
//   Release        always empty: what is moved there goes to the user's INBOX
// Nobody else sees these names.  Each access is a line in the log, event=quarantine.access.  Design 6, quarantine 3-4.
namespace postern::imap {

class Session;

inline constexpr std::string_view kOthers = "Quarantine of others";

// Whose mailbox it is, and which.
struct Others {
  enum class Kind : std::uint8_t { quarantine, blocked, originals, release };
  store::AccountId user = 0;
  std::string address;
  Kind kind = Kind::quarantine;
};

struct FoundMailbox {
  store::MailboxInfo info;          // `name` as it was asked for
  std::optional<Others> others;     // nothing: the user's own
};

// The mailbox of that name, if this user may know of it; one of an administrator's view is made when it is first
// asked for.  `session` outlives the task.
io::Task<std::optional<FoundMailbox>> find_mailbox(Session& session, std::string name);

// What LIST adds for an administrator: of those users of whom something is held.
io::Task<std::vector<store::MailboxInfo>> others_mailboxes(Session& session);

// COPY or MOVE of `uids` out of the selected mailbox where it or the target is another's.
io::Task<Reply> release_of_others(Session& session, std::vector<store::Uid> uids, std::optional<Others> target, bool moving);

// After an EXPUNGE of originals: their notices say nothing true any more.
io::Task<void> forget_notices(Session& session, std::vector<store::Uid> expunged);

// The line in the log for a command on a mailbox, if it is another's.
void audit(const Session& session, const std::optional<Others>& others, std::string_view command, std::string_view arguments);

}  // namespace postern::imap
