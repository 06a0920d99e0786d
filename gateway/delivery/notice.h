#pragma once

#include <string>

#include "gateway/delivery/plan.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// The message that a user finds in his Quarantine instead of one with a virus: who sent what, which
// signature, the case id to tell the administrator.  Octets with CRLF, nothing of the original body.
std::string virus_notice(const Judged& message, std::size_t recipient, const std::string& hostname);

// A message of our own to one of our accounts.  `text`: lines with CRLF.
store::Delivery note_to(store::AccountId account, const std::string& hostname, const std::string& subject, const std::string& text);
// Stores it; a failure is logged.
io::Task<void> store_note(store::Store& store, store::Delivery note);

}  // namespace postern::delivery
