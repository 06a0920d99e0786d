// The links of a message, from text and HTML.  What they hide (redirects, look-alikes) is judged elsewhere.
#include "filters/links.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/html.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxShown = 200;
constexpr std::size_t kMaxInner = 4096;   // HTML looked at for what a link shows
constexpr std::size_t kMaxTag = kMaxUrl * 4;
constexpr std::size_t kMaxTargets = kMaxLinks * 4;
constexpr std::size_t kMaxLookAhead = 1024 * 1024;

bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= ' ' || std::string_view("<>\"'`{}|\\^").find(c) != std::string_view::npos;
}

// A closing mark belongs to the sentence, unless the URL opened it.
std::string_view without_punctuation(std::string_view url) {
  auto opened = std::count(url.begin(), url.end(), '(');
  auto closed = std::count(url.begin(), url.end(), ')');
  while (!url.empty()) {
    char last = url.back();
    bool closing = last == ')' && opened < closed;
    if (closing) --closed;
    if (!closing && std::string_view(".,;:!?*_]").find(last) == std::string_view::npos) break;
    url.remove_suffix(1);
  }
  return url;
}

// The value of an attribute inside a tag ("<a href=... >" without the angle brackets).
std::optional<std::string_view> attribute(std::string_view tag, std::string_view wanted) {
  std::size_t at = tag.find_first_of(" \t\r\n/");
  while (at != std::string_view::npos && at < tag.size()) {
    at = tag.find_first_not_of(" \t\r\n/", at);
    if (at == std::string_view::npos) break;
    std::size_t end = std::min(tag.find_first_of(" \t\r\n=/", at), tag.size());
    if (end == at) {
      ++at;  // a stray "=": no attribute begins with it
      continue;
    }
    std::string_view name = tag.substr(at, end - at);
    at = tag.find_first_not_of(" \t\r\n", end);
    if (at == std::string_view::npos || tag[at] != '=') continue;
    at = tag.find_first_not_of(" \t\r\n", at + 1);
    if (at == std::string_view::npos) break;
    std::string_view value;
    if (tag[at] == '"' || tag[at] == '\'') {
      std::size_t close = std::min(tag.find(tag[at], at + 1), tag.size());
      value = tag.substr(at + 1, close - at - 1);
      at = std::min(close + 1, tag.size());
    } else {
      std::size_t close = std::min(tag.find_first_of(" \t\r\n", at), tag.size());
      value = tag.substr(at, close - at);
      at = close;
    }
    if (iequals(name, wanted)) return value;
  }
  return std::nullopt;
}

std::string decoded(std::string_view attribute_value) {
  return std::string(trimmed(mail::html_to_text(attribute_value, kMaxUrl + 1)));
}

}  // namespace

std::string host_of(std::string_view url) {
  std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  } else if (url.starts_with("//")) {
    url.remove_prefix(2);
  } else if (!istarts_with(url, "www.")) {
    return {};
  }
  std::string_view host = url.substr(0, url.find_first_of("/?#\\"));
  if (std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  if (host.starts_with('[')) return ascii_lowered(host.substr(0, host.find(']') == std::string_view::npos ? host.size() : host.find(']') + 1));
  host = host.substr(0, host.find(':'));
  while (!host.empty() && host.back() == '.') host.remove_suffix(1);
  auto ascii = mail::domain_to_ascii(host);
  return ascii ? *ascii : ascii_lowered(host);
}

// One pass over the tags of a page.
class LinkFinder::Page {
 public:
  Page(std::string_view html, LinkFinder& finder) : html_(html), finder_(finder) {}

  void run() {
    std::size_t at = 0;
    while (anchor_ || wants_more()) {
      std::size_t open = html_.find('<', at);
      // Never inside of the tag before: half a tag would be shown.
      if (anchor_ && std::min(open, html_.size()) >= anchor_->begin + kMaxInner) close_anchor(std::max(at, anchor_->begin + kMaxInner));
      if (open == std::string_view::npos) break;
      if (html_.substr(open, 4) == "<!--") {
        std::size_t close = html_.find("-->", open + 4);
        at = close == std::string_view::npos ? html_.size() : close + 3;
        continue;
      }
      at = end_of_tag(open);
      std::string_view tag = html_.substr(open + 1, at - open - 1);
      if (tag.ends_with('>')) tag.remove_suffix(1);
      read(tag, open, at);
    }
    if (anchor_) close_anchor(html_.size());
  }

 private:
  // An <a> whose end is still to come; what it shows begins at `begin`.
  struct Anchor {
    std::size_t begin = 0;
    std::string url;
  };

  bool wants_more() const { return !finder_.full() && finder_.targets_ < kMaxTargets; }

  void read(std::string_view tag, std::size_t begin, std::size_t end) {
    std::string_view element = tag.substr(0, tag.find_first_of(" \t\r\n/", 1));
    bool anchor = iequals(element, "a");
    bool form = iequals(element, "form");
    // Anchors do not nest (HTML 13.2.6.4.7: a second one ends the first), so each octet is shown by one at most.
    if (anchor_ && (anchor || iequals(element, "/a"))) close_anchor(begin);
    if (!wants_more() || (!anchor && !form && !iequals(element, "area"))) return;
    auto target = attribute(tag, form ? "action" : "href");
    if (!target || target->size() > kMaxUrl * 2) return;
    ++finder_.targets_;
    std::string url = decoded(*target);
    if (url.empty() || url.front() == '#') return;
    if (anchor) {
      anchor_ = Anchor{end, std::move(url)};
    } else {
      finder_.add(std::move(url), "");
    }
  }

  void close_anchor(std::size_t end) {
    std::string_view inner = html_.substr(anchor_->begin, end - anchor_->begin);
    finder_.add(std::move(anchor_->url), std::string(trimmed(mail::html_to_text(inner, kMaxShown))));
    anchor_.reset();
  }

  // Where the tag that begins at `open` ("<") ends: behind its ">", quotes respected.  Once a message of tags without
  // an end has used up our patience, the next ">" is taken, quoted or not.
  std::size_t end_of_tag(std::size_t open) {
    if (finder_.looked_ahead_ >= kMaxLookAhead) {
      if (next_close_ <= open) next_close_ = std::min(html_.find('>', open), html_.size());
      return next_close_ - open < kMaxTag && next_close_ < html_.size() ? next_close_ + 1 : open + 1;
    }
    std::size_t end = std::min(html_.size(), open + kMaxTag);
    char quote = '\0';
    for (std::size_t i = open + 1; i < end; ++i) {
      char c = html_[i];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '>') {
        return i + 1;
      }
    }
    finder_.looked_ahead_ += end - open;
    return open + 1;
  }

  std::string_view html_;
  LinkFinder& finder_;
  std::optional<Anchor> anchor_;
  std::size_t next_close_ = 0;  // the ">" that was found last
};

void LinkFinder::in_html(std::string_view html) { Page(html, *this).run(); }

void LinkFinder::in_text(std::string_view text) {
  std::size_t at = 0;
  std::size_t slashes = text.find("://");
  while (at < text.size() && !full() && candidates_ < kMaxTargets) {
    // Both kinds have a mark that is rare in prose; look back from it.
    if (slashes < at) slashes = text.find("://", at);
    std::size_t www = ifind(text.substr(0, slashes), "www.", at);
    std::size_t begin = std::string_view::npos;
    if (www != std::string_view::npos && (www == 0 || !(is_alpha(text[www - 1]) || is_digit(text[www - 1])))) {
      begin = www;
    } else if (www != std::string_view::npos) {
      at = www + 4;
      continue;
    } else if (slashes != std::string_view::npos) {
      for (std::string_view scheme : {"https", "http"}) {
        bool fits = slashes >= scheme.size() && iequals(text.substr(slashes - scheme.size(), scheme.size()), scheme);
        if (fits && begin == std::string_view::npos) begin = slashes - scheme.size();
      }
      if (begin == std::string_view::npos) {
        at = slashes + 3;
        continue;
      }
    } else {
      return;
    }
    std::size_t end = begin;
    while (end < text.size() && !ends_url(text[end])) ++end;
    std::string_view url = without_punctuation(text.substr(begin, end - begin));
    bool whole = url.size() > 8 || (url.size() > 4 && istarts_with(url, "www."));
    ++candidates_;
    if (whole && url.size() <= kMaxUrl && !known_.contains(std::string(url))) add(std::string(url), "");
    at = std::max(end, begin + 4);
  }
}

void LinkFinder::add(std::string url, std::string shown) {
  if (full() || url.empty() || url.size() > kMaxUrl) return;
  if (!known_.insert(url + '\n' + shown).second) return;
  known_.insert(url);
  Link link;
  link.host = host_of(url);
  link.url = std::move(url);
  link.text = std::move(shown);
  links_.push_back(std::move(link));
}

}  // namespace postern::filters
