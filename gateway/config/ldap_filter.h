#pragma once

#include <string>
#include <string_view>

#include "gateway/base/result.h"

// Filters of LDAP, RFC 4515, with places for an address: %a the address, %u its local part, %d its domain, %% a percent
// sign.  The places stand in values only.
namespace postern::config {

// Finds whoever has the address in one of the ways that are usual: mail, Exchange's proxyAddresses, mailLocalAddress.
inline constexpr std::string_view kAddressFilter = "(|(mail=%a)(proxyAddresses=smtp:%a)(mailLocalAddress=%a))";

// Is it a filter, and does it ask for somebody?  An Error is a sentence's end, such as "has no ')' for the '(' at 3".
Status check_filter(std::string_view filter);

// A value as it stands in a filter: whatever its octets are, they mean themselves.  RFC 4515 3.
std::string filter_value(std::string_view value);

// `filter` has passed check_filter(); `address` is "local@domain".
std::string filled_filter(std::string_view filter, std::string_view address);

}  // namespace postern::config
