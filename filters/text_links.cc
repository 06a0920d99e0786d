// One scan over a text for the marks of links: "://", "www." and dots between letters.
#include "filters/text_links.h"

#include <algorithm>
#include <array>

#include "filters/public_suffix.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxHostBack = 253;        // RFC 1035 2.3.4
constexpr std::size_t kMaxFound = 8192;          // octets of one link; it is cut there

// Punctuation of other scripts that ends a URL: quotes, dashes, full width marks, spaces.
constexpr std::array<std::string_view, 26> kForeignEnds = {
    "\xc2\xa0", "\xc2\xab", "\xc2\xbb", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9a", "\xe2\x80\x9c", "\xe2\x80\x9d",
    "\xe2\x80\x9e", "\xe2\x80\xa6", "\xe2\x80\xb9", "\xe2\x80\xba", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe3\x80\x80", "\xe3\x80\x81",
    "\xe3\x80\x82", "\xe3\x80\x8a", "\xe3\x80\x8b", "\xe3\x80\x8d", "\xe3\x80\x8f", "\xe3\x80\x91", "\xef\xbc\x8c", "\xef\xbc\x89",
    "\xef\xbc\x9b", "\xef\xbc\x81"};

// Also names of files: no link without more behind them.
constexpr std::array<std::string_view, 16> kFileTlds = {"md", "py", "sh", "pl", "rs", "so", "cc", "ps", "pm", "mk", "zip", "mov", "am", "in", "la", "ac"};

bool is_letter_or_digit(char c) { return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; }
bool is_label(char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; }

bool ends_url(std::string_view text, std::size_t at) {
  auto c = static_cast<unsigned char>(text[at]);
  if (c < 0x80) return c <= ' ' || c == 0x7f || std::string_view("<>\"'`{}|\\^").find(text[at]) != std::string_view::npos;
  if (c != 0xc2 && c != 0xe2 && c != 0xe3 && c != 0xef) return false;
  std::string_view rest = text.substr(at, 3);
  return std::any_of(kForeignEnds.begin(), kForeignEnds.end(), [&](std::string_view end) { return rest.starts_with(end); });
}

// A closing mark belongs to the sentence, unless the URL opened it.
std::string_view without_punctuation(std::string_view url) {
  auto left = [&](char open, char close) { return std::count(url.begin(), url.end(), close) - std::count(url.begin(), url.end(), open); };
  auto round = left('(', ')'), square = left('[', ']');
  while (!url.empty()) {
    char last = url.back();
    if (last == ')' && round > 0) {
      --round;
    } else if (last == ']' && square > 0) {
      --square;
    } else if (std::string_view(".,;:!?*_").find(last) == std::string_view::npos) {
      break;
    }
    url.remove_suffix(1);
  }
  return url;
}

class Finder {
 public:
  Finder(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

  std::vector<TextLink> run() {
    std::size_t at = 0;
    while (links_.size() < limit_ && candidates_ < kMaxTextCandidates) {
      at = text_.find_first_of(":.", at);
      if (at == std::string_view::npos) break;
      at = text_[at] == ':' ? scheme(at) : dot(at);
    }
    return std::move(links_);
  }

 private:
  // Each gives where to go on.
  std::size_t scheme(std::size_t colon) {
    if (text_.substr(colon, 3) != "://") return colon + 1;
    ++candidates_;
    for (std::string_view known : {"https", "http", "ftp"}) {
      bool fits = colon >= done_ + known.size() && iequals(text_.substr(colon - known.size(), known.size()), known);
      if (fits) return take(colon - known.size(), colon + 3, colon + 3, false);
    }
    return colon + 3;
  }

  std::size_t dot(std::size_t dot) {
    bool inside = dot > done_ && dot + 1 < text_.size() && is_letter_or_digit(text_[dot - 1]) && is_letter_or_digit(text_[dot + 1]);
    if (!inside) return dot + 1;
    ++candidates_;
    std::size_t begin = dot;
    while (begin > done_ && dot - begin < kMaxHostBack && is_label(text_[begin - 1])) --begin;
    while (begin < dot && text_[begin] == '-') ++begin;
    if (dot - begin == 3 && iequals(text_.substr(begin, 3), "www")) return take(begin, dot + 1, dot + 1, false);
    if (dot - begin > 4 && iequals(text_.substr(dot - 3, 3), "www") && !is_letter_or_digit(text_[dot - 4])) {
      return take(dot - 3, dot + 1, dot + 1, false);
    }
    std::size_t end = dot + 1;
    while (end < text_.size() && end - begin < kMaxHostBack && (is_label(text_[end]) || (text_[end] == '.' && end + 1 < text_.size() && is_letter_or_digit(text_[end + 1])))) ++end;
    if (!may_begin(begin) || !is_bare_host(begin, end)) return end;
    bool more = end < text_.size() && (text_[end] == '/' || text_[end] == '?' || text_[end] == '#' ||
                                       (text_[end] == ':' && end + 1 < text_.size() && is_digit(text_[end + 1])));
    if (more) return take(begin, end, end, true);
    links_.push_back({std::string(text_.substr(begin, end - begin)), begin, true});
    return done_ = end;
  }

  // Not in the middle of an address, a path or a parameter.
  bool may_begin(std::size_t begin) const {
    if (begin == 0) return true;
    return std::string_view("@/.-_=&\\%$~+#?").find(text_[begin - 1]) == std::string_view::npos;
  }

  bool is_bare_host(std::size_t begin, std::size_t end) const {
    if (end < text_.size() && (text_[end] == '@' || text_[end] == '_')) return false;
    std::string_view host = text_.substr(begin, end - begin);
    std::string_view tld = host.substr(host.rfind('.') + 1);
    if (tld.size() < 2 || is_digit(tld.front())) return false;
    bool path = end < text_.size() && (text_[end] == '/' || text_[end] == '?');
    bool capitalised = tld.front() >= 'A' && tld.front() <= 'Z' && tld[1] >= 'a' && tld[1] <= 'z';
    if (capitalised && !path) return false;
    bool file = std::any_of(kFileTlds.begin(), kFileTlds.end(), [&](std::string_view known) { return iequals(tld, known); });
    if (file && !path) return false;
    auto ascii = mail::domain_to_ascii(host);
    return ascii && has_known_tld(*ascii);
  }

  // A link from `begin` on that ends at `end` or behind; without anything behind `least` it is none.
  std::size_t take(std::size_t begin, std::size_t end, std::size_t least, bool bare) {
    while (end < text_.size() && end - begin < kMaxFound && !ends_url(text_, end)) ++end;
    std::string_view url = without_punctuation(text_.substr(begin, end - begin));
    if (begin + url.size() > least || (bare && !url.empty())) links_.push_back({std::string(url), begin, bare});
    return done_ = end;
  }

  std::string_view text_;
  std::size_t limit_;
  std::size_t done_ = 0;           // nothing before it is looked at again
  std::size_t candidates_ = 0;
  std::vector<TextLink> links_;
};

}  // namespace

std::vector<TextLink> find_text_links(std::string_view text, std::size_t limit) { return Finder(text, limit).run(); }

}  // namespace postern::filters
