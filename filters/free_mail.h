#pragma once

#include <string_view>

namespace postern::filters {

// Whether anybody can get an address there without paying: a registrable domain or a host, any case.
bool is_free_mail(std::string_view domain);

// One of the large providers whose servers carry all mail that names them, by registrable domain: "google" for gmail.com and
// google.com, "microsoft", "yahoo", "apple"; "" for others.
std::string_view large_provider(std::string_view registrable);

}  // namespace postern::filters
