#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "filters/facts.h"
#include "filters/html_page.h"
#include "filters/link_signs.h"

namespace postern::filters {

constexpr std::size_t kMaxLinks = 500;
constexpr std::size_t kMaxUrl = 2048;

// Collects the links of a message, part by part; its limits are for all parts together, so what a message costs
// grows with its length and no faster.
class LinkFinder {
 public:
  // The targets of <a>, <area>, <form>, <button> and of pages that go on by themselves, with what a reader sees of them.
  void in_html(std::string_view html) { in_page(read_page(html)); }
  void in_page(const Page& page);
  // The links that mail programs make of a plain text (text_links.h).  One that is there already is left out.
  void in_text(std::string_view text);
  // At most kMaxLinks, those that stand inside of others behind these, each once, in the order they were found.  A URL above kMaxUrl octets is cut; its host is that of
  // the whole.
  std::vector<Link> take() { return std::move(links_); }

 private:
  void add(std::string url, std::string host, const LinkPlace& place);
  bool full() const { return links_.size() >= kMaxLinks; }

  std::vector<Link> links_;
  std::unordered_set<std::string> known_;   // targets, and targets with what is shown for them
  std::size_t targets_ = 0;                 // looked at in HTML, each as often as it comes
  std::size_t candidates_ = 0;              // the same in text
};

// Lower case, as A-labels when it can be; "" when there is none.  User and port are cut off.
std::string host_of(std::string_view url);

}  // namespace postern::filters
