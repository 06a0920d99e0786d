// Links of HTML and of prose, and what they cost.
#include "filters/links.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::vector<Link> in_text(std::string_view text) {
  LinkFinder finder;
  finder.in_text(text);
  return finder.take();
}

std::vector<Link> in_html(std::string_view html) {
  LinkFinder finder;
  finder.in_html(html);
  return finder.take();
}

std::vector<std::string> urls(const std::vector<Link>& links) {
  std::vector<std::string> out;
  for (const auto& link : links) out.push_back(link.url);
  return out;
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

}  // namespace

TEST_CASE("links of prose end where the sentence goes on") {
  struct Case { const char* text; std::vector<std::string> urls; };
  const Case cases[] = {
      {"go to http://a.example.", {"http://a.example"}},
      {"(http://a.example/x)", {"http://a.example/x"}},
      {"http://a.example/x_(y) and", {"http://a.example/x_(y)"}},
      {"<HTTPS://A.example/?q=1>", {"HTTPS://A.example/?q=1"}},
      {"www.a.example, www.b.example!", {"www.a.example", "www.b.example"}},
      {"ftp://a.example awww.b.example", {"ftp://a.example"}},
      {"see bit.ly/x or bank.com", {"bit.ly/x", "bank.com"}},
      {"http:// www. http://", {}},
      {"http://a.example http://a.example", {"http://a.example"}},
      {"xhttp://a.example", {"http://a.example"}},
      {"http://www.a.example/", {"http://www.a.example/"}},
      {"", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(urls(in_text(c.text)) == c.urls);
  }
}

TEST_CASE("links of HTML are found however they are written") {
  struct Case { const char* html; std::vector<std::string> urls; };
  const Case cases[] = {
      {"<a href=\"http://a.example\">x</a>", {"http://a.example"}},
      {"<A\nclass='>' HREF = 'http://a.example' >x", {"http://a.example"}},
      {"<a href=http://a.example/x>x</a>", {"http://a.example/x"}},
      {"<area href=http://a.example/m>", {"http://a.example/m"}},
      {"<form action=http://a.example/f>", {"http://a.example/f"}},
      {"<a href=\"mailto:x@a.example\">", {"mailto:x@a.example"}},
      {"<!-- <a href=\"http://no.example\"> -->", {}},
      {"<a name=x>", {}},
      {"<a href=\"#top\">", {}},
      {"<abbr href=\"http://no.example\">", {}},
      {"<a href=\"http://a.example", {}},
      {"< a <a<a href", {}},
      {"<a = = href==>", {}},
      {"<base href=http://b.example/c/><a href=d>x</a>", {"http://b.example/c/d"}},
      {"<button formaction=http://a.example/g>x</button>", {"http://a.example/g"}},
      {"<meta http-equiv=refresh content='1;url=http://a.example/r'>", {"http://a.example/r"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    CHECK(urls(in_html(c.html)) == c.urls);
  }
}

TEST_CASE("the number of links is bounded") {
  std::string text, html;
  for (int i = 0; i < 2000; ++i) {
    text += "http://h" + std::to_string(i) + ".example/ ";
    html += "<a href=http://h" + std::to_string(i) + ".example/>x</a>";
  }
  CHECK(in_text(text).size() == kMaxLinks);
  CHECK(in_html(html).size() == kMaxLinks);
}

TEST_CASE("what a link shows ends with it, or where the next one begins") {
  struct Case { const char* html; std::vector<std::string> shown; };
  const Case cases[] = {
      {"<a href=http://a.example>one</a> two", {"one"}},
      {"<a href=http://a.example>o<b>n</b>e</A > two", {"one"}},
      {"<a href=http://a.example>one <a href=http://b.example>two</a>", {"one", "two"}},
      {"<a href=http://a.example>one <abbr>x</abbr> two</a>", {"one x two"}},
      {"<a href=http://a.example>one <!-- </a> --> two</a>", {"one two"}},
      {"<a href=http://a.example>to the end", {"to the end"}},
      {"<a href=http://a.example><area href=http://b.example>one</a>", {"one", ""}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.html);
    std::vector<std::string> shown;
    for (const auto& link : in_html(c.html)) shown.push_back(link.text);
    CHECK(shown == c.shown);
  }
}

TEST_CASE("what a link shows is what is seen, cut to 200 octets") {
  auto links = in_html("<a href=http://a.example>" + repeated("<b>", 400) + "la<i style='display:none'>no</i>te</a>");
  REQUIRE(links.size() == 1);
  CHECK(links[0].text == "late");
  CHECK(in_html("<a href=http://a.example>" + repeated("\xc3\xa9", 300) + "</a>")[0].text.size() == 200);
}

TEST_CASE("a URL that is too long keeps its host and its beginning") {
  auto links = in_text("http://" + std::string(3000, 'u') + "@evil.example/ x");
  REQUIRE(links.size() == 1);
  CHECK(links[0].host == "evil.example");
  CHECK(links[0].url.size() == kMaxUrl);
  CHECK(in_html("<a href='http://" + std::string(3000, 'u') + "@evil.example/'>x</a>")[0].host == "evil.example");
}

TEST_CASE("the limits are for all parts of a message together") {
  std::string same = repeated("<a href=http://same.example/>x</a>", 300);
  LinkFinder finder;
  for (int part = 0; part < 10; ++part) finder.in_html(same);
  finder.in_html("<a href=http://late.example/>x</a>");
  CHECK(urls(finder.take()) == std::vector<std::string>{"http://same.example/"});

  LinkFinder prose;
  for (int part = 0; part < 10; ++part) prose.in_text(repeated("www.498 ", 300));
  prose.in_text("www.late.example");
  CHECK(urls(prose.take()) == std::vector<std::string>{"www.498"});
}

// Each page is hostile by itself, and the message has many of them.
TEST_CASE("a message of hostile pages costs no more than its length") {
  const std::string plain = repeated("<p>Some words that <b>anybody</b> may write.</p>\r\n", 300);
  auto ordinary = testing::thread_time([&] {
    LinkFinder finder;
    for (int i = 0; i < 200; ++i) finder.in_html(plain);
  });
  const std::string pages[] = {
      repeated("<a href=x>", 2000) + repeated("<b>", 1400),
      repeated("<a href=x ", 2400),
      repeated("<a href=x>", 400) + repeated("<a x='", 3400),
      repeated("<!--<a href=x>", 1700),
  };
  for (const auto& page : pages) {
    CAPTURE(page.substr(0, 20));
    auto parts = [&](std::size_t count) {
      LinkFinder finder;
      for (std::size_t i = 0; i < count; ++i) finder.in_html(page);
      return finder.take().size();
    };
    CHECK(testing::grows_with_its_length(parts, 50));
    CHECK(testing::thread_time([&] { parts(200); }) < 20 * ordinary);
  }
}

TEST_CASE("a text of hostile candidates costs no more than its length") {
  const std::string prose = repeated("Some words that anybody may write. ", 30'000);
  auto ordinary = testing::thread_time([&] { in_text(prose); });
  for (std::string_view piece : {"www.498", "www.498 ", "http://x ", "://", "xwww.", "http://((((", "www.("}) {
    CAPTURE(piece);
    std::string text = repeated(piece, 200'000);
    auto read = [&](std::size_t count) { return in_text(std::string_view(text).substr(0, count)).size(); };
    CHECK(testing::grows_with_its_length(read, text.size() / 4));
    CHECK(testing::thread_time([&] { read(1 << 20); }) < 20 * ordinary);
  }
}

TEST_CASE("a URL's host is what a browser would ask for") {
  CHECK(host_of("http://User@A.Example:8080/x") == "a.example");
  CHECK(host_of("http://bank.example@evil.example/") == "evil.example");
  CHECK(host_of("https://b\xc3\xbc" "cher.example.") == "xn--bcher-kva.example");
  CHECK(host_of("//a.example/x") == "a.example");
  CHECK(host_of("http://[2001:db8::1]:80/") == "[2001:db8::1]");
  CHECK(host_of("mailto:x@a.example") == "");
  CHECK(host_of("") == "");
}
