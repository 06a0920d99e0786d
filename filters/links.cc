// The links of a message, from text and HTML.  What they hide (redirects, look-alikes) is judged in link_signs.cc.
#include "filters/links.h"

#include <optional>

#include "filters/html_tokens.h"
#include "filters/text_links.h"
#include "filters/url.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxTargets = kMaxLinks * 4;

}  // namespace

std::string host_of(std::string_view url) { return parse_url(url).host; }

void LinkFinder::in_page(const Page& page) {
  std::optional<Url> base;
  if (!page.base.empty()) base = parse_url(page.base);
  for (const PageLink& link : page.links) {
    if (full() || targets_ >= kMaxTargets) return;
    ++targets_;
    if (link.target.front() == '#') continue;
    Url url = parse_url(link.target, base ? &*base : nullptr);
    bool made_whole = base && base->is_web() && url.is_web() && !parse_url(link.target).is_web();
    add(made_whole ? url.text() : link.target, url.host, link.shown);
  }
}

void LinkFinder::in_text(std::string_view text) {
  if (full() || candidates_ >= kMaxTargets) return;
  auto found = find_text_links(text, kMaxTargets - candidates_);
  candidates_ += found.size();
  for (TextLink& link : found) {
    if (full()) return;
    std::string host = link.bare ? parse_bare_url(link.url).host : host_of(link.url);
    cut_utf8(link.url, kMaxUrl);
    if (!known_.contains(link.url)) add(std::move(link.url), std::move(host), "");
  }
}

void LinkFinder::add(std::string url, std::string host, std::string shown) {
  if (full() || url.empty()) return;
  cut_utf8(url, kMaxUrl);
  if (!known_.insert(url + '\n' + shown).second) return;
  known_.insert(url);
  Link link;
  link.host = std::move(host);
  link.url = std::move(url);
  link.text = std::move(shown);
  links_.push_back(std::move(link));
}

}  // namespace postern::filters
