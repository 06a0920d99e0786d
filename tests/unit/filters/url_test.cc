// URLs as browsers read them.
#include "filters/url.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

TEST_CASE("a URL's host is where a browser goes") {
  struct Case { const char* url; const char* host; };
  const Case cases[] = {
      {"http://User@A.Example:8080/x", "a.example"},
      {"http://bank.example@evil.example/", "evil.example"},
      {"http://bank.example%40evil.example/", "bank.example@evil.example"},
      {"http://a.example\\@evil.example/", "a.example"},
      {"http:\\\\a.example\\x", "a.example"},
      {"http:/a.example", "a.example"},
      {"http:a.example", "a.example"},
      {"https:////a.example", "a.example"},
      {" \x01http://a.example/ ", "a.example"},
      {"ht\ntp:/\t/a.exa\rmple", "a.example"},
      {"https://b\xc3\xbc" "cher.example.", "xn--bcher-kva.example"},
      {"http://\xef\xbd\x81.example", "a.example"},
      {"http://a\xe3\x80\x82" "example/", "a.example"},
      {"http://%61.example/", "a.example"},
      {"//a.example/x", "a.example"},
      {"/\\a.example/x", "a.example"},
      {"www.a.example", "www.a.example"},
      {"http://[2001:db8::1]:80/", "[2001:db8::1]"},
      {"http://[2001:0DB8:0::1]/", "[2001:db8::1]"},
      {"http://3221225985", "192.0.2.1"},
      {"http://0xc0000201/", "192.0.2.1"},
      {"http://0300.0.02.1/", "192.0.2.1"},
      {"http://192.0.513/", "192.0.2.1"},
      {"http://0xC0.0x0.0x2.0x1", "192.0.2.1"},
      {"http://192.0.2.1./", "192.0.2.1"},
      {"http://a.example?x@b.example", "a.example"},
      {"http://a.example#@b.example", "a.example"},
      {"http://u:p@h@a.example:1/", "a.example"},
      {"mailto:x@a.example", ""},
      {"javascript:alert(1)", ""},
      {"a.example/x", ""},
      {"#x", ""},
      {"", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.url);
    CHECK(parse_url(c.url).host == c.host);
  }
}

TEST_CASE("what no browser can open is said") {
  for (const char* url : {"http://", "http:///", "http://a b.example", "http://256.0.0.1", "http://1.2.3.4.5", "http://0x1ffffffff",
                          "http://08.0.0.1", "http://1..2", "http://[::1", "http://[x]", "http://a<b", "http://b.example%40c.example"}) {
    CAPTURE(url);
    CHECK(parse_url(url).bad_host);
  }
  CHECK(parse_url("http://a.example:99999/").bad_port);
  CHECK(parse_url("http://a.example:8x/").bad_port);
  CHECK_FALSE(parse_url("http://a_b.example:/").bad_host);
}

TEST_CASE("tricks of writing are told apart") {
  CHECK(parse_url("http://u@a.example").has_user);
  CHECK(parse_url("http://u%2e@a.example").user == "u.");
  CHECK(parse_url("http:\\\\a.example").backslashes);
  CHECK(parse_url("http://a.example/b\\c").backslashes);
  CHECK_FALSE(parse_url("http://a.example/?b\\c").backslashes);
  CHECK(parse_url("http:///a.example").odd_slashes);
  CHECK_FALSE(parse_url("http://a.example//").odd_slashes);
  CHECK(parse_url("http://a.ex\tample").inner_space);
  CHECK(parse_url("http://%61.example").encoded_host);
  CHECK(parse_url("http://3221225985").odd_address);
  CHECK_FALSE(parse_url("http://192.0.2.1").odd_address);
  CHECK(parse_url("www.a.example").assumed_scheme);
  CHECK(parse_url("https://xn--bcher-kva.example").unicode_host == "b\xc3\xbc" "cher.example");
}

TEST_CASE("the parts of a URL") {
  Url url = parse_url("https://a.example:8443\\b/c?d=e#f?g");
  CHECK(url.scheme == "https");
  CHECK(url.port == 8443);
  CHECK(url.path == "/b/c");
  CHECK(url.query == "d=e");
  CHECK(url.fragment == "f?g");
  CHECK(url.text() == "https://a.example:8443/b/c?d=e#f?g");
  CHECK(parse_url("data:text/html,x?y").path == "text/html,x");
  CHECK(parse_url(std::string("http://a.example/") + std::string(100'000, 'x')).path.size() < kMaxUrlRead);
  CHECK(parse_url("http://" + std::string(5000, 'x')).bad_host);
}

TEST_CASE("relative links are relative to the page's base") {
  Url base = parse_url("https://a.example/b/c");
  CHECK(parse_url("d", &base).text() == "https://a.example/b/d");
  CHECK(parse_url("/d?e", &base).text() == "https://a.example/d?e");
  CHECK(parse_url("//f.example/d", &base).text() == "https://f.example/d");
  CHECK(parse_url("http://g.example", &base).host == "g.example");
  CHECK(parse_url("d").scheme.empty());
}
