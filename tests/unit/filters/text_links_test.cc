// Links that mail programs make of a text.
#include "filters/text_links.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::vector<std::string> found(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& link : find_text_links(text, 1000)) {
    CHECK(text.substr(link.at, link.url.size()) == link.url);
    out.push_back(link.url);
  }
  return out;
}

}  // namespace

TEST_CASE("links of a text are what mail programs make clickable") {
  struct Case { const char* text; std::vector<std::string> urls; };
  const Case cases[] = {
      {"go to http://a.com.", {"http://a.com"}},
      {"see bit.ly/abc.", {"bit.ly/abc"}},
      {"see paypal.com, now", {"paypal.com"}},
      {"PAYPAL.COM", {"PAYPAL.COM"}},
      {"(login.paypal.co.uk:8080/x)", {"login.paypal.co.uk:8080/x"}},
      {"paypal.com:", {"paypal.com"}},
      {"https://a.com/x_(y) and [https://b.com/z] or [link](https://c.com/q)", {"https://a.com/x_(y)", "https://b.com/z", "https://c.com/q"}},
      {"<https://a.com/x>\"https://b.com\"", {"https://a.com/x", "https://b.com"}},
      {"\xe2\x80\x9chttps://a.com/x\xe2\x80\x9d \xe3\x80\x8chttps://b.com\xe3\x80\x8d\xe3\x80\x82", {"https://a.com/x", "https://b.com"}},
      {"https://a.com/\xc3\xa9t\xc3\xa9?q=1;", {"https://a.com/\xc3\xa9t\xc3\xa9?q=1"}},
      {"b\xc3\xbc" "cher.de/x", {"b\xc3\xbc" "cher.de/x"}},
      {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84", {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84"}},
      {"ftp://a.com/x FTP://b.com", {"ftp://a.com/x", "FTP://b.com"}},
      {"joe@paypal.com, first.last@a.com", {}},
      {"/usr/lib/x.com key=a.com #a.com -a.com", {}},
      {"e.g. i.e. 3.14 v1.2.3 10.0.0.1", {}},
      {"It is done.In the end.So be it.Me too", {}},
      {"main.py README.md run.sh a.zip", {}},
      {"run.sh/x", {"run.sh/x"}},
      {"node.js x.nosuchtld", {}},
      {"www.x", {"www.x"}},
      {"WWW.a.com and awww.b.com", {"WWW.a.com", "awww.b.com"}},
      {"a.com b.com a.com", {"a.com", "b.com", "a.com"}},
      {"http:// :// www. . .. a. .b", {}},
      {"a..com -.com .com", {}},
      {"http://a.com/http://b.com", {"http://a.com/http://b.com"}},
      {"http://a.com,http://b.com", {"http://a.com,http://b.com"}},
      {"", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(found(c.text) == c.urls);
  }
}

TEST_CASE("what is looked for in a text is bounded") {
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "a.com ";
  CHECK(find_text_links(many, 100'000).size() == kMaxTextCandidates);
  CHECK(find_text_links(many, 7).size() == 7);
  std::string one = "http://a.com/" + std::string(1 << 20, 'x');
  auto links = find_text_links(one, 10);
  REQUIRE(links.size() == 1);
  CHECK(links[0].url.size() == 8192);
}
