#pragma once

#include <memory>

#include "gateway/store/committer.h"

// The changes of accounts, as jobs for the committer.
namespace postern::store {

std::shared_ptr<JobWith<Change>> create_account_job(Account account);
std::shared_ptr<JobWith<Change>> update_account_job(Account account);
std::shared_ptr<JobWith<Change>> remove_account_job(AccountId id);

}  // namespace postern::store
