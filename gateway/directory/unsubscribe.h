#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/directory/link_tokens.h"

namespace postern::directory {

// One member of one mailing list, by their addresses.
struct Membership {
  std::string list;
  std::string member;
};

// A token with which the member leaves the list: for the URL of List-Unsubscribe (RFC 2369 3.2, RFC 8058), behind
// public_url + "/unsubscribe/".  Nothing: the addresses are too long for one.  Good for LinkKeys::kLongest at most.
std::optional<std::string> unsubscribe_token(const LinkTokens& tokens, const Membership& membership, Time expires);
// What the body of such a token names.
std::optional<Membership> membership_in(std::string_view body);

}  // namespace postern::directory
