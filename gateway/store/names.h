#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/store/types.h"

// Names of mailboxes: UTF-8 levels with '/' between.  RFC 3501 5.1.
namespace postern::store {

inline constexpr std::size_t kMaxMailboxName = 1000;   // octets
inline constexpr std::size_t kMaxMailboxDepth = 20;

// The name as the store keeps it: a first level INBOX in any spelling becomes "INBOX".
// An Error says what a mailbox may not be called.
Result<std::string> mailbox_name(std::string_view name);

// "a/b/c" -> "a", "a/b".
std::vector<std::string> parents_of(std::string_view name);
bool is_below(std::string_view name, std::string_view parent);

// Moving a message there also writes the user's list of senders.  Design 6, quarantine 2.
inline constexpr std::string_view kAlwaysAllow = "Quarantine/Always allow";
inline constexpr std::string_view kAlwaysBlock = "Quarantine/Always block";
inline bool is_sender_folder(std::string_view name) { return name == kAlwaysAllow || name == kAlwaysBlock; }

// What a mailbox of that use is called when it is made.
std::string_view default_name(SpecialUse use);

}  // namespace postern::store
