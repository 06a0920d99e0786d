#pragma once

#include <memory>

#include "gateway/store/committer.h"

// The changes of accounts, as jobs for the committer.
namespace postern::store {

// Makes the mailboxes that users have since a later version and these accounts not; null: there is nothing to do.
// Nobody waits for it.
std::shared_ptr<Job> complete_accounts_job(const Catalog& catalog);

std::shared_ptr<JobWith<Change>> create_account_job(Account account);
std::shared_ptr<JobWith<Change>> update_account_job(Account account);
std::shared_ptr<JobWith<Change>> remove_account_job(AccountId id);

}  // namespace postern::store
