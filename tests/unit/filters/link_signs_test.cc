// Links taken apart.
#include "filters/link_signs.h"

#include "filters/public_suffix.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::shared_ptr<const List> list(std::string_view text) { return *List::parse(text, "lists/x.txt"); }

std::string signs_of(std::string_view target, const LinkPlace& place = {}, const LinkLists& lists = {}) {
  std::string out;
  LinkSigns link = link_signs(target, place, lists)[0];
  for (std::size_t i = 0; i < link.signs.size(); ++i) {
    if (!link.signs.test(i)) continue;
    if (!out.empty()) out += ' ';
    out += name(static_cast<LinkSign>(i));
  }
  return out;
}

}  // namespace

TEST_CASE("each trick of a link has its sign") {
  struct Case { std::string target; const char* signs; };
  const Case cases[] = {
      {"https://www.paypal.com/login", ""},
      {"http://192.0.2.1/x", "ip_host"},
      {"http://3221225985/x", "ip_host odd_ip_host"},
      {"http://[2001:db8::1]/", "ip_host"},
      {"http://127.0.0.1/", "ip_host private_host"},
      {"http://localhost/", "private_host no_tld"},
      {"http://a.nosuchtld/", "no_tld"},
      {"http://a b.com/", "bad_host"},
      {"http://joe@evil.com/", "user"},
      {"http://www.paypal.com@evil.com/", "user user_is_host"},
      {"http://www.paypal.com%40evil.com/", "bad_host encoded_at encoded_host"},
      {"http:\\\\evil.com", "backslashes"},
      {"http:evil.com", "odd_slashes"},
      {"http://evil\n.com", "inner_space"},
      {"http://%65vil.com/", "encoded_host"},
      {"http://evil.com/%61b", "encoded_letters"},
      {"http://evil.com/a%20b", ""},
      {"http://evil.com:666/", "odd_port"},
      {"https://b\xc3\xbc" "cher.com/", "punycode"},
      {"https://p\xd0\xb0ypal.com/", "punycode mixed_scripts imitates_ascii"},
      {"https://xn--80ak6aa92e.com/", "punycode imitates_ascii"},
      {"https://a.b.c.d.evil.com/", "many_labels"},
      {"https://paypal.com.evil.com/", "domain_below"},
      {"https://paypal.com-x.evil.com/", "domain_below"},
      {"https://a-b-c-d-e.evil.com/", "many_hyphens"},
      {"https://evil.com/" + std::string(600, 'x'), "long_url"},
      {"data:text/html,x", "data"},
      {"JavaScript:x()", "script"},
      {"java\nscript:x()", "inner_space script"},
      {"file://server/share", "file"},
      {"https://evil.com/a/Invoice.EXE?x", "program"},
      {"https://evil.com/#joe@corp.com", "has_address"},
      {"https://evil.com/?e=joe%40corp.com", "has_address"},
      {"mailto:joe@corp.com", ""},
      {"page.html", "relative"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.target);
    CHECK(signs_of(c.target) == c.signs);
  }
}

TEST_CASE("where a link stands is part of its signs") {
  CHECK(signs_of("https://a.com/", {.shown = "", .image = true}) == "image");
  CHECK(signs_of("https://a.com/", {.shown = "", .image_map = true, .hidden = true}) == "image_map hidden");
  CHECK(signs_of("http://a.com/", {.shown = "", .form = true}) == "form insecure_form");
  CHECK(signs_of("https://a.com/", {.shown = "", .form = true}) == "form");
  CHECK(signs_of("https://a.com/", {.shown = "", .automatic = true}) == "automatic");
}

TEST_CASE("what a link shows is held against where it leads") {
  struct Case { const char* shown; const char* target; const char* signs; };
  const Case cases[] = {
      {"https://www.paypal.com/login", "https://evil.com/", "shown_elsewhere"},
      {"www.paypal.com", "https://evil.com/", "shown_elsewhere"},
      {"paypal.com", "https://evil.com/", "shown_elsewhere"},
      {"( PayPal.com )", "https://evil.com/", "shown_elsewhere"},
      {"Go to https://paypal.com now", "https://evil.com/", "shown_elsewhere"},
      {"https://paypal.com", "https://paypal.com.evil.com/", "domain_below shown_elsewhere"},
      {"paypal.com", "https://click.paypal.com/x", "shown_same"},
      {"https://paypal.com", "http://www.paypal.com/x", "shown_same shown_plain_http"},
      {"a.github.io", "https://b.github.io", "shown_elsewhere"},
      {"http://192.0.2.1/", "http://192.0.2.1/x", "ip_host shown_same"},
      {"Log in", "https://evil.com/", ""},
      {"see README.md and main.py", "https://evil.com/", ""},
      {"joe@paypal.com", "https://evil.com/", ""},
      {"Visit paypal.com today", "https://evil.com/", ""},
      {"", "https://evil.com/", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.shown, c.target);
    CHECK(signs_of(c.target, {.shown = c.shown}) == c.signs);
  }
}

TEST_CASE("lists of the administrator name shorteners, redirectors and free hosting") {
  auto shorteners = list("bit.ly\n");
  auto redirectors = list("www.google.com\n");
  auto free_hosting = list(".weebly.com\n");
  LinkLists lists{shorteners.get(), redirectors.get(), free_hosting.get()};
  CHECK(signs_of("https://bit.ly/x", {}, lists) == "shortener");
  CHECK(signs_of("https://www.google.com/url?q=x", {}, lists) == "redirector");
  CHECK(signs_of("https://bank.weebly.com/", {}, lists) == "free_hosting");
  CHECK(signs_of("https://bit.ly.evil.com/", {}, lists) == "");
}

TEST_CASE("links inside of a link become links of their own") {
  struct Case { std::string target; std::vector<std::string> hosts; };
  const Case cases[] = {
      {"https://www.google.com/url?q=https://evil.com/&sa=D", {"www.google.com", "evil.com"}},
      {"https://a.com/?u=https%3A%2F%2Fevil.com%2Fx", {"a.com", "evil.com"}},
      {"https://a.com/?u=https%253A%252F%252Fevil.com%252Fx", {"a.com", "evil.com"}},
      {"https://a.com/?u=//evil.com/", {"a.com", "evil.com"}},
      {"https://a.com/?https://evil.com/", {"a.com", "evil.com"}},
      {"https://a.com/#u=https://evil.com/", {"a.com", "evil.com"}},
      {"https://a.com/r/https://evil.com/x", {"a.com", "evil.com"}},
      {"https://a.com/https%3A%2F%2Fevil.com", {"a.com", "evil.com"}},
      {"https://a.com/?u=https%3A%2F%2Fb.com%2F%3Fv%3Dhttps%253A%252F%252Fc.com", {"a.com", "b.com", "c.com"}},
      {"https://a.com/?x=httpsomething&y=www", {"a.com"}},
      {"https://a.com/?x=https://", {"a.com"}},
      {"javascript:location='https://evil.com'", {""}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.target);
    std::vector<std::string> hosts;
    for (const auto& link : link_signs(c.target, {}, {})) hosts.push_back(link.url.host);
    CHECK(hosts == c.hosts);
  }
  CHECK(signs_of("https://a.com/?u=https://evil.com/") == "redirect redirect_elsewhere");
  CHECK(signs_of("https://a.com/?u=https://www.a.com/") == "redirect");
}

TEST_CASE("what is followed inside of a link is bounded") {
  std::string many = "https://a.com/?x=1";
  for (int i = 0; i < 200; ++i) many += "&u=https%3A%2F%2Fe" + std::to_string(i) + ".com";
  CHECK(link_signs(many, {}, {}).size() == 1 + kMaxInner);

  std::string deep = "https://h0.com/";
  for (int i = 1; i < 8; ++i) deep = "https://h" + std::to_string(i) + ".com/" + deep;
  auto links = link_signs(deep, {}, {});
  CHECK(links.size() == 1 + kMaxRedirects);
  CHECK(links.back().level == kMaxRedirects);
  CHECK(links[0].has(LinkSign::deep_redirect));

  std::string fan = "https://a.com/?";
  for (int i = 0; i < 300; ++i) fan += "u=https%3A%2F%2Fb.com%2F%3Fu%3Dhttps%253A%252F%252Fc.com&";
  CHECK(link_signs(fan, {}, {}).size() <= 1 + kMaxInner * kMaxRedirects);
  CHECK(link_signs(std::string(1 << 20, '%'), {}, {}).size() == 1);
  CHECK(link_signs("http://" + std::string(1 << 20, '@') + "a.com", {}, {})[0].has(LinkSign::bad_host));
}

TEST_CASE("registrable domains come from the public suffix list") {
  CHECK(registrable_domain("a.b.co.uk") == "b.co.uk");
  CHECK(registrable_domain("A.Example.COM") == "example.com");
  CHECK(registrable_domain("co.uk").empty());
  CHECK(registrable_domain("").empty());
  CHECK(has_known_tld("a.com"));
  CHECK(has_known_tld("a.xn--p1ai"));
  CHECK_FALSE(has_known_tld("a.nosuchtld"));
  CHECK_FALSE(has_known_tld("a."));
}
