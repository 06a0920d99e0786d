#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/directory/link_tokens.h"
#include "gateway/store/store.h"

namespace postern::directory {

// A token with which the user sets his password, once: it is good for the password row that he has now.
std::string invitation_token(const LinkTokens& tokens, const store::Account& account, Time expires);

// Whom the body of such a token invites; nothing: the account is gone, or its password was set since.
std::optional<store::Account> invited(const store::Store& store, std::string_view body);

}  // namespace postern::directory
