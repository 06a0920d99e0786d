#pragma once

#include <string>
#include <string_view>

// The public suffix list, publicsuffix.org, by libpsl.  Any thread.
namespace postern::filters {

// The domain that somebody registered: "b.co.uk" of "a.b.co.uk".  `domain` as A-labels, any case; the result is lower case.
// "" for what is a public suffix itself or no domain.
std::string registrable_domain(std::string_view domain);

// Whether the last label of `domain` (A-labels) is a top level domain that the list knows.
bool has_known_tld(std::string_view domain);

}  // namespace postern::filters
