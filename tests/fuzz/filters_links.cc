// Links of texts, and links taken apart: bounds hold, and what a URL is read as reads the same again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/link_signs.h"
#include "filters/text_links.h"
#include "gateway/base/check.h"

using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t behind = 0;
  for (const TextLink& link : find_text_links(text, 100)) {
    CHECK(link.at >= behind && !link.url.empty());
    CHECK(text.substr(link.at, link.url.size()) == link.url);
    behind = link.at + link.url.size();
  }
  std::string_view target = text.substr(0, text.find('\0'));
  std::string_view shown = target.size() < text.size() ? text.substr(target.size() + 1) : std::string_view();
  auto links = link_signs(target, {.shown = shown}, {});
  CHECK(!links.empty() && links.size() <= 1 + kMaxInner * kMaxRedirects);
  for (const LinkSigns& link : links) {
    CHECK(link.level <= kMaxRedirects);
    if (!link.url.is_web() || link.url.bad_host) continue;
    Url again = parse_url(link.url.text());
    CHECK(again.host == link.url.host && !again.bad_host && !again.odd_address && !again.has_user);
  }
  return 0;
}
