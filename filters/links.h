#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/facts.h"

namespace postern::filters {

constexpr std::size_t kMaxLinks = 500;
constexpr std::size_t kMaxUrl = 2048;

// Adds the URLs of a plain text: "http://", "https://" and "www." up to the first octet that ends a URL
// in prose.  At most kMaxLinks in `links`, each URL once.
void find_links_in_text(std::string_view text, std::vector<Link>& links);

// Adds the targets of <a>, <area> and <form> of an HTML page (UTF-8) with what is shown for them.  One
// pass over the tags, no tree, no recursion.
void find_links_in_html(std::string_view html, std::vector<Link>& links);

// Lower case, as A-labels when it can be; "" when there is none.  User and port are cut off.
std::string host_of(std::string_view url);

}  // namespace postern::filters
