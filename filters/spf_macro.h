#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/ip.h"

// Macros of SPF records, RFC 7208 7.  Pure.
namespace postern::filters {

// Where a macro stands decides which letters it may use: c, r and t only in explanations (7.2).
enum class MacroPlace { record, explanation };

// RFC 7208 7.1 macro-string; in an explanation also spaces (6.2).
bool is_macro_string(std::string_view text, MacroPlace place);
// RFC 7208 7.1 domain-spec: ends in a macro or in ".toplabel", with or without final dot.
bool is_domain_spec(std::string_view text);
// %{p} costs look-ups, so it is asked for before expanding.  `text` valid.
bool uses_validated_name(std::string_view text);

struct MacroValues {
  IpAddress ip;
  std::string local;                    // of the sender, "postmaster" if it had none (4.3)
  std::string sender_domain;
  std::string domain;                   // <domain>, the one being checked now
  std::string helo;
  std::string receiver;
  std::int64_t now = 0;                 // unix seconds
  std::vector<std::string> validated;   // names of the address that lead back to it (5.5)
};

// `text` must be valid for its place.
std::string expand_macros(std::string_view text, const MacroValues& values);
// The same as a name to ask for: lower case, no final dot, labels dropped from the left until it has at most
// 253 octets (7.3).
std::string expand_domain(std::string_view text, const MacroValues& values);

}  // namespace postern::filters
