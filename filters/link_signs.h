#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/lists.h"
#include "filters/url.h"

// What is odd about a link.  Nothing here judges: many an honest link has some of it.
namespace postern::filters {

constexpr std::size_t kMaxRedirects = 3;      // links inside of links that are followed
constexpr std::size_t kMaxInner = 4;          // of one link, on one level
constexpr std::size_t kMaxShownRead = 300;    // octets of what is shown

// clang-format off
#define POSTERN_LINK_SIGNS(SIGN) \
  SIGN(ip_host, "the host is an IP address") \
  SIGN(odd_ip_host, "the host is an IP address in a form that nobody reads") \
  SIGN(private_host, "the host is an address of a private network, or this very computer") \
  SIGN(no_tld, "the host has no top level domain that there is") \
  SIGN(bad_host, "no browser can go to the host") \
  SIGN(user, "a user stands before the host") \
  SIGN(user_is_host, "what looks like a host before the @ is none") \
  SIGN(encoded_at, "an encoded @ stands before the path") \
  SIGN(backslashes, "backslashes stand for slashes") \
  SIGN(odd_slashes, "there are not two slashes behind the scheme") \
  SIGN(inner_space, "tabs or line ends stand inside") \
  SIGN(encoded_host, "the host is percent-encoded") \
  SIGN(encoded_letters, "plain letters of the path are percent-encoded") \
  SIGN(odd_port, "the port is none of the web") \
  SIGN(punycode, "the host has letters beyond ASCII") \
  SIGN(mixed_scripts, "a label of the host mixes alphabets") \
  SIGN(imitates_ascii, "a label of the host looks like plain letters and is none") \
  SIGN(many_labels, "the host has four labels or more below the registered domain") \
  SIGN(domain_below, "a well-known ending such as .com stands in the middle of the host") \
  SIGN(many_hyphens, "a label of the host has four hyphens or more") \
  SIGN(long_url, "it is longer than 500 octets") \
  SIGN(shortener, "it leads to a URL shortener") \
  SIGN(redirector, "the host is known for sending on to anywhere") \
  SIGN(free_hosting, "anybody may put pages there") \
  SIGN(redirect, "another link is inside") \
  SIGN(redirect_elsewhere, "another link is inside that leads to another domain") \
  SIGN(deep_redirect, "links inside of links are deeper than we follow") \
  SIGN(shown_elsewhere, "it shows one domain and leads to another") \
  SIGN(shown_same, "it shows the domain that it leads to") \
  SIGN(shown_plain_http, "it shows https and leads to http") \
  SIGN(data, "it is a page by itself (data:)") \
  SIGN(script, "it is a program (javascript:, vbscript:)") \
  SIGN(file, "it leads to a file of this computer or a file server") \
  SIGN(program, "it leads to a file that is a program or holds one") \
  SIGN(has_address, "a mail address is inside") \
  SIGN(image, "it shows an image") \
  SIGN(image_map, "it is a part of an image") \
  SIGN(hidden, "nothing of it is seen") \
  SIGN(form, "it is where a form is sent") \
  SIGN(insecure_form, "a form is sent there unencrypted") \
  SIGN(automatic, "the page goes there by itself") \
  SIGN(relative, "it says no host")
// clang-format on

enum class LinkSign : std::uint8_t {
#define POSTERN_LINK_SIGN_MEMBER(name, says) name,
  POSTERN_LINK_SIGNS(POSTERN_LINK_SIGN_MEMBER)
#undef POSTERN_LINK_SIGN_MEMBER
  count_
};
std::string_view name(LinkSign sign);
std::string_view says(LinkSign sign);   // in words: "the host is an IP address"

struct LinkSigns {
  Url url;
  std::string registrable;      // registrable domain of the host; "" for IP hosts and public suffixes
  std::string shown_host;       // what the shown text says that it leads to, as A-labels; ""
  std::bitset<static_cast<std::size_t>(LinkSign::count_)> signs;
  std::size_t length = 0;       // as written, octets
  std::size_t labels_below = 0; // labels of the host left of the registrable domain
  std::size_t encoded = 0;      // plain letters and digits that are percent-encoded
  std::size_t level = 0;        // 0: the link itself; 1: inside of it; ...

  bool has(LinkSign sign) const { return signs.test(static_cast<std::size_t>(sign)); }
  void set(LinkSign sign, bool yes = true) {
    if (yes) signs.set(static_cast<std::size_t>(sign));
  }
};

// Where a link stands, as far as it is known.
struct LinkPlace {
  std::string_view shown;       // what a reader sees of it
  bool image = false, image_map = false, hidden = false, form = false, automatic = false;
  bool bare = false;            // a text without scheme that mail programs make a link of
  const Url* base = nullptr;    // what a relative link is relative to
};

// Lists of hosts and domains that the administrator keeps; nullptr: nothing is on it.
struct LinkLists {
  const List* shorteners = nullptr;
  const List* redirectors = nullptr;
  const List* free_hosting = nullptr;
};

// The link first, then the links inside of it, level by level: at most 1 + kMaxInner * kMaxRedirects.
std::vector<LinkSigns> link_signs(std::string_view target, const LinkPlace& place, const LinkLists& lists);

// The host that a shown text claims, as A-labels: of a URL in it, or of a text that is nothing but a domain.  "" for none.
std::string shown_host(std::string_view shown);

}  // namespace postern::filters
