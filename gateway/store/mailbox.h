#pragma once

#include <memory>
#include <string>

#include "gateway/store/committer.h"

// The changes of mailboxes, as jobs for the committer.  RFC 3501 6.3.3 to 6.3.7.
namespace postern::store {

std::shared_ptr<JobWith<Created>> create_mailbox_job(AccountId account, std::string name, SpecialUse use);
std::shared_ptr<JobWith<Change>> rename_mailbox_job(AccountId account, std::string from, std::string to);
std::shared_ptr<JobWith<Change>> remove_mailbox_job(AccountId account, std::string name);
std::shared_ptr<JobWith<Change>> subscribe_job(AccountId account, std::string name, bool subscribed);

// For other jobs: the mailbox of that name, made with its parents if it is not there.  `name` is one
// that mailbox_name() gave; the account exists.
MailboxId ensure_mailbox(Group& group, AccountId account, const std::string& name, SpecialUse use);

}  // namespace postern::store
