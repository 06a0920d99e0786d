#pragma once

#include <optional>
#include <string>
#include <string_view>

// Internationalised domain names through ICU: UTS 46, non-transitional (RFC 5891).
namespace postern::mail {

// Lower case with A-labels, without a final dot: the form for DNS, look-ups and comparison.  ASCII names pass with
// lower case and a check of lengths only (underscores are real).  nullopt: no valid name, RFC 1035 2.3.4 lengths included.
std::optional<std::string> domain_to_ascii(std::string_view domain);

// For people: A-labels shown as Unicode; what cannot be decoded stays as it is.
std::string domain_to_unicode(std::string_view domain);

}  // namespace postern::mail
