#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

// The originals of class virus, which lie where only administrators come, and the way from what is held to its user
// that an administrator goes.  Design 6, quarantine 3 and 4.
namespace postern::delivery {

// The account that keeps the originals; without '@': nobody can have it as address.
inline constexpr std::string_view kOriginalsAccount = "quarantine";

// Where in it the mailboxes of one user lie: "example.org/ann".  What no mailbox may be called is written =XX.
std::string user_folder(std::string_view address);
// The address of such a folder; nullopt: it is none.
std::optional<std::string> user_of_folder(std::string_view folder);
// The user's originals; a mailbox of its own for each, with its own uids.
std::string originals_folder(std::string_view address);

struct MessagePlace {
  store::MailboxId mailbox = 0;
  store::Uid uid = 0;
  bool operator==(const MessagePlace&) const = default;
};

// Where notices for these originals still lie in the Quarantine of `account`; 0: of all users.
io::Task<Result<std::vector<MessagePlace>>> notices_of(store::Store& store, std::vector<MessagePlace> originals, store::AccountId account);

// Releases held messages of `user` into his INBOX; the originals for his notices, which go.  By copies what is held
// stays and is marked.  `uids` of the result are those in INBOX; a message that is gone is left out.
io::Task<store::Copied> release_to_user(store::Store& store, store::MailboxId from, std::vector<store::Uid> uids, store::AccountId user, bool moving);

// Removes the notices for originals that are gone.
io::Task<store::Change> erase_notices(store::Store& store, std::vector<MessagePlace> originals, store::AccountId user);

}  // namespace postern::delivery
