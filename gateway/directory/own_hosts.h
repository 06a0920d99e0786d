#pragma once

#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/store/types.h"

// Account::deliver: where one user's good mail goes, whatever his domain says.
namespace postern::directory {

// He has a mailbox here.
inline constexpr std::string_view kMailboxes = "mailboxes";

// It goes on to hosts of his own; they are config::parse_hosts() of it.
inline bool has_own_hosts(const store::Account& account) { return !account.deliver.empty() && account.deliver != kMailboxes; }

// As it is kept, from what an administrator writes: "domain" (as the domain says: ""), "mailboxes", or hosts with commas
// between them.
Result<std::string> deliver_of(std::string_view text);

}  // namespace postern::directory
