#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/mail/sender_list.h"
#include "gateway/store/committer.h"

// The users' lists of senders.
namespace postern::store {

std::shared_ptr<JobWith<Change>> set_sender_job(AccountId account, std::string sender, std::optional<mail::SenderWord> word);

// For other jobs: false, the list is full.  The account exists; nothing changes when that is said already.
bool set_sender(Group& group, AccountId account, const std::string& sender, std::optional<mail::SenderWord> word);

// Whom the user means who moves this message to a folder of senders: its author, or else, as who shows no name hides
// behind nothing, its envelope sender.  "": nobody, or the user himself, whose address spam likes to bear.
std::string sender_of(const StoredMessage& message, std::string_view user);

}  // namespace postern::store
