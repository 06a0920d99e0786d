// HTML pages: what is read is valid UTF-8 and within its bounds, whatever the page.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/html_page.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view html(reinterpret_cast<const char*>(data), size);
  Page page = read_page(html);
  CHECK(postern::is_utf8(page.seen) && postern::is_utf8(page.unseen) && postern::is_utf8(page.title));
  CHECK(page.links.size() <= kMaxPageLinks && page.links.size() <= page.link_count);
  CHECK(page.sources.size() <= kMaxPageSources);
  CHECK(page.truncated == !page.problem.empty());
  for (const PageLink& link : page.links) {
    CHECK(!link.target.empty() && link.target.size() <= kMaxReference && link.shown.size() <= kMaxLinkShown);
    CHECK(link.at <= page.seen.size() && postern::is_utf8(link.shown) && postern::is_utf8(link.target));
  }
  std::size_t hidden = 0;
  for (std::size_t octets : page.hidden) hidden += octets;
  CHECK(hidden <= page.unseen.size());
  return 0;
}
