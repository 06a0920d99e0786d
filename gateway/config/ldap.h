#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/config/section.h"

namespace postern::config {

// [ldap.NAME], each of them.
void read_ldap(Section& top, Config& config);

// "ldap://HOST[:PORT]" or "ldaps://HOST[:PORT]" with its port; nothing: it is none, or says more than that.
std::optional<std::string> ldap_url(std::string_view text);

// That the directories which domains name are there; behind both.
void check_ldap(Report& report, const Config& config);

}  // namespace postern::config
