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
    LinkPlace place;
    place.shown = link.shown;
    place.image = link.image;
    place.image_map = link.kind == PageLink::Kind::area;
    place.hidden = link.hidden;
    place.form = link.kind == PageLink::Kind::form || link.kind == PageLink::Kind::button;
    place.automatic = link.kind == PageLink::Kind::refresh;
    add(made_whole ? url.text() : link.target, url.host, place);
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
    LinkPlace place;
    place.bare = link.bare;
    if (!known_.contains(link.url)) add(std::move(link.url), std::move(host), place);
  }
}

// Which hosts shorten, send on or lend room is said by lists that rules ask themselves.
void LinkFinder::add(std::string url, std::string host, const LinkPlace& place) {
  if (full() || url.empty()) return;
  cut_utf8(url, kMaxUrl);
  if (!known_.insert(url + '\n' + std::string(place.shown)).second) return;
  known_.insert(url);
  auto found = link_signs(url, place, {});
  for (auto& each : found) {
    if (full()) return;
    Link link;
    link.inside = each.level > 0;
    link.url = link.inside ? each.url.text() : url;
    if (link.inside && !known_.insert(link.url).second) continue;
    link.host = link.inside ? each.url.host : host;
    link.domain = std::move(each.registrable);
    for (std::size_t i = 0; i < each.signs.size(); ++i) {
      if (each.signs.test(i)) link.signs.push_back(name(static_cast<LinkSign>(i)));
    }
    if (!link.inside) link.text = place.shown;
    links_.push_back(std::move(link));
  }
}

}  // namespace postern::filters
