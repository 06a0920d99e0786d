#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "filters/facts.h"

namespace postern::filters {

constexpr std::size_t kMaxLinks = 500;
constexpr std::size_t kMaxUrl = 2048;

// Collects the links of a message, part by part; its limits are for all parts together, so what a message costs
// grows with its length and no faster.
class LinkFinder {
 public:
  // The targets of <a>, <area> and <form> of an HTML page (UTF-8) with what is shown for them.  One pass over the
  // tags, no tree, no recursion.
  void in_html(std::string_view html);
  // The URLs of a plain text: "http://", "https://" and "www." up to the first octet that ends a URL in prose.
  // One that is there already is left out.
  void in_text(std::string_view text);
  // At most kMaxLinks, each once, in the order they were found.
  std::vector<Link> take() { return std::move(links_); }

 private:
  class Page;
  void add(std::string url, std::string shown);
  bool full() const { return links_.size() >= kMaxLinks; }

  std::vector<Link> links_;
  std::unordered_set<std::string> known_;   // targets, and targets with what is shown for them
  std::size_t targets_ = 0;                 // looked at in HTML, each as often as it comes
  std::size_t candidates_ = 0;              // the same in text
  std::size_t looked_ahead_ = 0;            // octets, in vain, for the ends of tags
};

// Lower case, as A-labels when it can be; "" when there is none.  User and port are cut off.
std::string host_of(std::string_view url);

}  // namespace postern::filters
