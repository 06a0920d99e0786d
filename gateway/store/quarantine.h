#pragma once

#include <optional>
#include <string>

#include "gateway/store/rows.h"
#include "gateway/store/types.h"

// What moving a held message means.  Design 6, quarantine.  What waits for the moderator of a mailing list is marked like what
// is held on its way out, and known by where it lies: "Lists/<list>/Pending", from where it goes to "Lists/<list>/Approve",
// which lets it through, or to Trash.
namespace postern::store {

enum class Passage {
  ordinary,   // the message is not held, or was released before
  release,    // out of the quarantine: it is an ordinary message from now on
  keep,       // it stays held where it goes
  cannot,     // NO [CANNOT]
  noperm      // NO [NOPERM]: a virus notice, or what is held on its way out
};

// Whether it is a moderator's mailbox Pending.
bool is_pending(const MailboxInfo& mailbox);

Passage passage(const MailboxInfo& from, const MailboxInfo& to, HeldMark held, bool moving);

// What moving a message there says of its sender.
std::optional<mail::SenderWord> word_of(const MailboxInfo& to);
// Whether a move out of "Always block" takes back what was said: to where the user reads mail.
bool takes_back(const MailboxInfo& from, const MailboxInfo& to);

// The audit line of a release: event=quarantine.release.
void log_release(const MailboxInfo& from, const MailboxInfo& to, const StoredMessage& message, Uid uid);

}  // namespace postern::store
