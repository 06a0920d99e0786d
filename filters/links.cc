// The links of a message, from text and HTML.  What they hide (redirects, look-alikes) is judged elsewhere.
#include "filters/links.h"

#include <algorithm>
#include <optional>

#include "gateway/base/text.h"
#include "gateway/mail/html.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxShown = 200;
constexpr std::size_t kMaxInner = 4096;   // HTML looked at for what a link shows
constexpr std::size_t kMaxTag = kMaxUrl * 4;
constexpr std::size_t kMaxAnchors = kMaxLinks * 4;      // of one page, each target as often as it comes
constexpr std::size_t kMaxLookAhead = 1024 * 1024;      // in vain, for the ends of tags

bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= ' ' || std::string_view("<>\"'`{}|\\^").find(c) != std::string_view::npos;
}

void add(std::vector<Link>& links, std::string url, std::string shown) {
  if (links.size() >= kMaxLinks || url.empty() || url.size() > kMaxUrl) return;
  auto same = [&](const Link& link) { return link.url == url && link.text == shown; };
  if (std::any_of(links.begin(), links.end(), same)) return;
  Link link;
  link.host = host_of(url);
  link.url = std::move(url);
  link.text = std::move(shown);
  links.push_back(std::move(link));
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

// Where the tag that begins at `open` ("<") ends: behind its ">", quotes respected.  A page of tags without an end
// uses up `patience`; then the next ">" is taken, quoted or not.
std::size_t end_of_tag(std::string_view html, std::size_t open, std::size_t& patience) {
  html = html.substr(0, open + kMaxTag);
  if (patience == 0) {
    std::size_t close = html.find('>', open);
    return close == std::string_view::npos ? open + 1 : close + 1;
  }
  char quote = '\0';
  for (std::size_t i = open + 1; i < html.size(); ++i) {
    char c = html[i];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return i + 1;
    }
  }
  patience -= std::min(patience, html.size() - open);
  return open + 1;
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

void find_links_in_text(std::string_view text, std::vector<Link>& links) {
  std::size_t at = 0;
  std::size_t slashes = text.find("://");
  while (at < text.size() && links.size() < kMaxLinks) {
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
    if (url.size() > 8 || (url.size() > 4 && istarts_with(url, "www."))) add(links, std::string(url), "");
    at = std::max(end, begin + 4);
  }
}

void find_links_in_html(std::string_view html, std::vector<Link>& links) {
  std::size_t at = 0;
  std::size_t anchors = 0;
  std::size_t patience = kMaxLookAhead;
  while (links.size() < kMaxLinks && anchors < kMaxAnchors) {
    std::size_t open = html.find('<', at);
    if (open == std::string_view::npos) return;
    if (html.substr(open, 4) == "<!--") {
      std::size_t close = html.find("-->", open + 4);
      at = close == std::string_view::npos ? html.size() : close + 3;
      continue;
    }
    std::size_t end = end_of_tag(html, open, patience);
    at = end;
    std::string_view tag = html.substr(open + 1, end - open - 1);
    if (tag.ends_with('>')) tag.remove_suffix(1);
    std::string_view element = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    bool anchor = iequals(element, "a");
    if (!anchor && !iequals(element, "area") && !iequals(element, "form")) continue;
    auto target = attribute(tag, iequals(element, "form") ? "action" : "href");
    if (!target || target->size() > kMaxUrl * 2) continue;
    ++anchors;
    std::string shown;
    if (anchor) {
      std::string_view inner = html.substr(end, kMaxInner);
      shown = trimmed(mail::html_to_text(inner.substr(0, ifind(inner, "</a")), kMaxShown));
    }
    std::string url = decoded(*target);
    if (url.empty() || url.front() == '#') continue;
    add(links, std::move(url), std::move(shown));
  }
}

}  // namespace postern::filters
