#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gateway/directory/link_keys.h"
#include "gateway/links/page.h"

namespace postern::links {

// All that the separate listener for links serves: https://HOST/PATH/TOKEN for each page that was added, and nothing else.
// GET and HEAD only show; POST acts; all other methods are 405, all other paths 404.  One loop's.
class Site {
 public:
  struct Parts {
    const directory::LinkKeys& keys;              // must outlive it
    const config::Config& config;                 // likewise; read at each request
    // Called for each token that is not good; false: its client has shown too many lately, and hears 429.
    std::function<bool(const IpAddress&)> count_wrong;
    const Clock& clock = Clock::system();
  };
  explicit Site(Parts parts) : parts_(std::move(parts)) {}
  Site(const Site&) = delete;

  void add(std::unique_ptr<Page> page) { pages_.push_back(std::move(page)); }

  static constexpr std::size_t kMaxBody = 8 * 1024;   // octets of a form
  io::Task<http::Answer> answer(http::Request request, IpAddress client);
  // A refusal as a page, with the fields that all pages have.
  http::Answer dressed(http::Answer refusal) const;

 private:
  io::Task<Shown> visit(Page& page, http::Request request, std::string body, IpAddress client);
  http::Answer page_of(const Shown& shown) const;
  config::Language language_for(const http::Request& request) const;
  http::Answer no_good(const http::Request& request, IpAddress client, bool expired) const;

  Parts parts_;
  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace postern::links
