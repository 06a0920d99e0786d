// A link taken apart: where it really leads, and what it says and hides on the way.
#include "filters/link_signs.h"

#include <algorithm>
#include <array>

#include "filters/public_suffix.h"
#include "filters/text_links.h"
#include "gateway/base/text.h"
#include "gateway/mail/scripts.h"

namespace postern::filters {
namespace {

constexpr std::size_t kLongUrl = 500;
constexpr std::size_t kManyLabels = 4;
constexpr std::ptrdiff_t kManyHyphens = 4;
constexpr std::size_t kMaxParameters = 50;    // of a query that are looked at

constexpr std::array<std::string_view, static_cast<std::size_t>(LinkSign::count_)> kNames = {
#define POSTERN_LINK_SIGN_NAME(name, says) #name,
    POSTERN_LINK_SIGNS(POSTERN_LINK_SIGN_NAME)
#undef POSTERN_LINK_SIGN_NAME
};
constexpr std::array<std::string_view, static_cast<std::size_t>(LinkSign::count_)> kSays = {
#define POSTERN_LINK_SIGN_SAYS(name, says) says,
    POSTERN_LINK_SIGNS(POSTERN_LINK_SIGN_SAYS)
#undef POSTERN_LINK_SIGN_SAYS
};

// What opens when it is clicked and does something.
constexpr std::array<std::string_view, 33> kPrograms = {
    ".exe", ".scr", ".com", ".pif", ".bat", ".cmd", ".js",  ".jse", ".vbs", ".vbe", ".wsf", ".wsh", ".hta", ".ps1", ".msi", ".msix", ".jar",
    ".apk", ".lnk", ".url", ".iso", ".img", ".vhd", ".vhdx", ".zip", ".rar", ".7z",  ".ace", ".cab", ".docm", ".xlsm", ".dmg", ".one"};

// Endings that readers take for the end of a host.
constexpr std::array<std::string_view, 8> kWellKnown = {"com", "net", "org", "gov", "edu", "de", "fr", "uk"};

std::size_t count_encoded_letters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    std::string letter = percent_decoded(text.substr(at, 3));
    if (letter.size() == 1 && (is_alpha(letter[0]) || is_digit(letter[0]))) ++count;
  }
  return count;
}

// "x@y.z" or its encoded form.
bool holds_address(std::string_view text) {
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    bool local = at > 0 && (is_alpha(text[at - 1]) || is_digit(text[at - 1]));
    std::string_view domain = text.substr(at + 1);
    std::size_t dot = domain.find('.');
    bool dotted = dot != std::string_view::npos && dot > 0 && dot + 1 < domain.size() && is_alpha(domain[dot + 1]) &&
                  domain.substr(0, dot).find_first_of("/?&#=@ ") == std::string_view::npos;
    if (local && dotted) return true;
  }
  return false;
}

void judge_labels(LinkSigns& link) {
  const Url& url = link.url;
  link.set(LinkSign::punycode, ifind(url.host, "xn--") != std::string::npos);
  auto labels = split(url.unicode_host, '.');
  for (std::string_view label : labels) {
    link.set(LinkSign::mixed_scripts, !is_ascii(label) && mail::mixes_scripts(label));
    link.set(LinkSign::imitates_ascii, mail::imitates_ascii(label));
    link.set(LinkSign::many_hyphens, label.substr(0, 4) != "xn--" && std::count(label.begin(), label.end(), '-') >= kManyHyphens);
  }
  if (link.registrable.empty() || url.host.size() <= link.registrable.size()) return;
  std::string_view below = std::string_view(url.host).substr(0, url.host.size() - link.registrable.size() - 1);
  auto parts = split(below, '.');
  link.labels_below = parts.size();
  link.set(LinkSign::many_labels, parts.size() >= kManyLabels);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    link.set(LinkSign::domain_below, std::find(kWellKnown.begin(), kWellKnown.end(), parts[i]) != kWellKnown.end());
  }
  // "paypal.com-login.example"
  for (std::string_view ending : {".com-", ".net-", ".org-"}) link.set(LinkSign::domain_below, url.host.find(ending) != std::string::npos);
}

void judge_host(LinkSigns& link, const LinkLists& lists) {
  const Url& url = link.url;
  link.set(LinkSign::bad_host, url.bad_host || url.bad_port);
  link.set(LinkSign::user, url.has_user);
  std::string_view user = std::string_view(url.user).substr(0, url.user.find_first_of(":/"));
  link.set(LinkSign::user_is_host, url.has_user && user.find('.') != std::string_view::npos);
  link.set(LinkSign::encoded_host, url.encoded_host);
  link.set(LinkSign::odd_port, url.port && *url.port != 80 && *url.port != 443 && *url.port != 8080 && *url.port != 8443 && *url.port != 21);
  if (url.address) {
    link.set(LinkSign::ip_host);
    link.set(LinkSign::odd_ip_host, url.odd_address);
    link.set(LinkSign::private_host, url.address->is_private());
    return;
  }
  if (url.bad_host) return;
  link.registrable = registrable_domain(url.host);
  link.set(LinkSign::private_host, url.host == "localhost" || url.host.ends_with(".localhost") || url.host.ends_with(".local"));
  link.set(LinkSign::no_tld, url.host.find('.') == std::string::npos || !has_known_tld(url.host));
  judge_labels(link);
  auto on = [&](const List* list) { return list != nullptr && (list->contains(url.host) || list->contains(link.registrable)); };
  link.set(LinkSign::shortener, on(lists.shorteners));
  link.set(LinkSign::redirector, on(lists.redirectors));
  link.set(LinkSign::free_hosting, on(lists.free_hosting));
}

void judge_scheme(LinkSigns& link) {
  const std::string& scheme = link.url.scheme;
  link.set(LinkSign::data, scheme == "data");
  link.set(LinkSign::script, scheme == "javascript" || scheme == "vbscript" || scheme == "jscript");
  link.set(LinkSign::file, scheme == "file" || scheme == "smb" || scheme == "ms-msdt" || scheme == "search-ms");
}

void judge_shown(LinkSigns& link, std::string_view shown) {
  link.shown_host = shown_host(shown);
  if (link.shown_host.empty() || link.url.host.empty()) return;
  std::string claimed = registrable_domain(link.shown_host);
  bool same = link.shown_host == link.url.host || (!claimed.empty() && claimed == link.registrable);
  link.set(LinkSign::shown_same, same);
  link.set(LinkSign::shown_elsewhere, !same);
  link.set(LinkSign::shown_plain_http, link.url.scheme == "http" && ifind(shown, "https://") != std::string_view::npos);
}

LinkSigns judged(std::string_view target, const LinkPlace& place, const LinkLists& lists) {
  LinkSigns link;
  link.url = place.bare ? parse_bare_url(target) : parse_url(target, place.base);
  const Url& url = link.url;
  link.length = target.size();
  link.set(LinkSign::long_url, url.scheme != "data" && target.size() > kLongUrl);
  link.set(LinkSign::backslashes, url.backslashes);
  link.set(LinkSign::odd_slashes, url.odd_slashes);
  link.set(LinkSign::inner_space, url.inner_space);
  judge_scheme(link);
  link.set(LinkSign::relative, url.scheme.empty());
  if (!url.is_web()) return link;
  judge_host(link, lists);
  std::string_view head = target.substr(0, target.find_first_of("/?#", std::min(target.find("//"), target.size() - 2) + 2));
  link.set(LinkSign::encoded_at, ifind(head, "%40") != std::string_view::npos);
  link.encoded = count_encoded_letters(url.path) + count_encoded_letters(url.query);
  link.set(LinkSign::encoded_letters, link.encoded > 0);
  for (std::string_view ending : kPrograms) link.set(LinkSign::program, iends_with(url.path, ending));
  link.set(LinkSign::has_address, holds_address(percent_decoded(url.query)) || holds_address(percent_decoded(url.fragment)) ||
                                      holds_address(percent_decoded(url.path)));
  return link;
}

bool looks_like_url(std::string_view text) {
  return istarts_with(text, "http:") || istarts_with(text, "https:") || istarts_with(text, "//") || istarts_with(text, "www.");
}

// A value that is a URL as it is, or still encoded once or twice.
void add_if_url(std::string value, std::vector<std::string>& out) {
  for (int times = 0; times < 3 && out.size() < kMaxInner; ++times) {
    if (looks_like_url(value)) {
      if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(std::move(value));
      return;
    }
    std::string decoded = percent_decoded(value);
    if (decoded == value) return;
    value = std::move(decoded);
  }
}

// The links that a link carries: in parameters of any name (u=, url=, q=, redirect=, ...), and behind the host as some
// redirectors have it ("/url/https://...", "/https%3A%2F%2F...", "//https:/...").
std::vector<std::string> inner_links(const Url& url) {
  std::vector<std::string> out;
  for (std::string_view part : {std::string_view(url.query), std::string_view(url.fragment)}) {
    std::size_t count = 0;
    for (std::size_t at = 0; at <= part.size() && count < kMaxParameters; ++count) {
      std::size_t end = std::min(part.find_first_of("&;", at), part.size());
      std::string_view parameter = part.substr(at, end - at);
      std::size_t equals = parameter.find('=');
      bool named = equals != std::string_view::npos && !looks_like_url(parameter);
      // A URL that is not encoded goes to the end: its "&" are its own.
      std::string_view value = named ? parameter.substr(equals + 1) : parameter;
      bool plain = istarts_with(value, "http://") || istarts_with(value, "https://");
      std::size_t begin = static_cast<std::size_t>(value.data() - part.data());
      add_if_url(std::string(plain ? part.substr(begin) : value), out);
      at = plain ? part.size() + 1 : end + 1;
    }
  }
  std::string path = url.path.substr(0, kMaxUrlRead);
  for (int times = 0; times < 2; ++times) {
    for (std::string_view scheme : {"https:/", "http:/"}) {
      std::size_t at = ifind(path, scheme);
      if (at == std::string::npos || at == 0 || out.size() >= kMaxInner) continue;
      std::string rest = path.substr(at);
      if (!url.query.empty()) rest += "?" + url.query;
      add_if_url(std::move(rest), out);
      break;
    }
    if (!out.empty()) break;
    std::string decoded = percent_decoded(path);
    if (decoded == path) break;
    path = std::move(decoded);
  }
  return out;
}

}  // namespace

std::string_view name(LinkSign sign) { return sign < LinkSign::count_ ? kNames[static_cast<std::size_t>(sign)] : std::string_view(); }
std::string_view says(LinkSign sign) { return sign < LinkSign::count_ ? kSays[static_cast<std::size_t>(sign)] : std::string_view(); }

std::string shown_host(std::string_view shown) {
  shown = trimmed(shown.substr(0, kMaxShownRead));
  auto found = find_text_links(shown, 1);
  if (found.empty()) return {};
  if (found[0].bare) {   // among other words it claims nothing: "made with Node and ASP.NET"
    std::string around(shown);
    around.erase(found[0].at, found[0].url.size());
    bool words = std::any_of(around.begin(), around.end(), [](char c) { return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; });
    if (words) return {};
  }
  Url url = found[0].bare ? parse_bare_url(found[0].url) : parse_url(found[0].url);
  return url.bad_host ? std::string() : url.host;
}

std::vector<LinkSigns> link_signs(std::string_view target, const LinkPlace& place, const LinkLists& lists) {
  target = target.substr(0, kMaxUrlRead);
  std::vector<LinkSigns> out;
  LinkSigns first = judged(target, place, lists);
  if (first.url.is_web()) judge_shown(first, place.shown);
  first.set(LinkSign::image, place.image);
  first.set(LinkSign::image_map, place.image_map);
  first.set(LinkSign::hidden, place.hidden);
  first.set(LinkSign::form, place.form);
  first.set(LinkSign::insecure_form, place.form && first.url.scheme == "http");
  first.set(LinkSign::automatic, place.automatic);
  out.push_back(std::move(first));
  std::size_t begin = 0;
  for (std::size_t level = 1; level <= kMaxRedirects; ++level) {
    std::size_t end = out.size();
    std::size_t room = kMaxInner;
    for (std::size_t i = begin; i < end; ++i) {
      if (!out[i].url.is_web()) continue;
      for (const std::string& inner : inner_links(out[i].url)) {
        if (room == 0) break;
        LinkSigns next = judged(inner, {}, lists);
        if (!next.url.is_web() || next.url.bad_host || next.url.host.find('.') == std::string::npos) continue;
        --room;
        next.level = level;
        bool elsewhere = next.url.host != out[i].url.host && (next.registrable.empty() || next.registrable != out[i].registrable);
        out[i].set(LinkSign::redirect);
        out[i].set(LinkSign::redirect_elsewhere, elsewhere);
        out.push_back(std::move(next));
      }
    }
    begin = end;
  }
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (out[i].url.is_web() && !inner_links(out[i].url).empty()) out[0].set(LinkSign::deep_redirect);
  }
  return out;
}

}  // namespace postern::filters
