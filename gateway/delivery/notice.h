#pragma once

#include <string>

#include "gateway/delivery/plan.h"
#include "gateway/directory/directory.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// The message that a user finds in his Quarantine instead of one with a virus: who sent what, which
// signature, the case id to tell the administrator.  Octets with CRLF, nothing of the original body.
std::string virus_notice(const Judged& message, std::size_t recipient, const std::string& hostname);

// A message of our own to the postmaster: into his INBOX, or on to the server of his domain, from where it comes back into
// his quarantine when that server does not take it.  `text`: lines with CRLF.  Nothing in it, and an error in the log:
// nobody takes his mail now.
store::Delivery note_to_postmaster(const directory::Directory& directory, const std::string& hostname, const std::string& subject,
                                   const std::string& text);

}  // namespace postern::delivery
