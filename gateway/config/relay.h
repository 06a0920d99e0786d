#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/config/section.h"

namespace postern::config {

// Lower case in A-labels; nothing when it is no host name (letters, digits, hyphens).
std::optional<std::string> canonical_domain(std::string_view name);

// deliver, tls, recipients, ldap, when_down and deliver_mode of a domain; `title` is its section.
void read_relay(Section& section, const std::string& title, Domain& domain);

}  // namespace postern::config
