#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/store/committer.h"

namespace postern::store {

// STORE.  RFC 3501 6.4.6; `unchanged_since`: RFC 7162 3.1.3.
std::shared_ptr<JobWith<FlagsChanged>> change_flags_job(MailboxId mailbox, std::vector<Uid> uids, FlagOperation operation,
                                                        Flags flags, std::optional<ModSeq> unchanged_since);

}  // namespace postern::store
