// Requests: what is taken and what is refused, and with which status.
#include "gateway/http/message.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::http;

namespace {

int status(const std::string& text) { return parse_head(text).status; }

Form form(const std::string& type, const std::string& body) {
  Request request;
  request.fields.emplace_back("content-type", type);
  request.body = body;
  auto out = form_of(request);
  return out ? *out : Form{{"nothing", ""}};
}

}  // namespace

TEST_CASE("a request has a method, a path, a query and fields") {
  auto head = parse_head("POST /release/abc?x=1 HTTP/1.1\r\nHost: mx\r\nX-Odd:  a b\t\r\nContent-Length: 12\r\n\r\n");
  REQUIRE(head.status == 200);
  CHECK(head.request.method == "POST");
  CHECK(head.request.path == "/release/abc");
  CHECK(head.request.query == "x=1");
  CHECK(head.request.field("x-odd") == "a b");
  CHECK(head.request.field("none").empty());
  CHECK(head.length == 12);
}

TEST_CASE("what two programs could read in two ways is refused") {
  struct Case {
    const char* text;
    int status;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
      {"HEAD /x HTTP/1.0\r\n\r\n", 200},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / http/1.1\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\n\r\n", 411},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400},
      {"\r\n\r\n", 400},
      {"", 400},
  };
  for (const auto& each : cases) {
    INFO(each.text);
    CHECK(status(each.text) == each.status);
  }
  CHECK(status(std::string("GET /\0 HTTP/1.1\r\n\r\n", 19)) == 400);
  CHECK(status("GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n\r\n") == 414);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 65; ++i) many += "X: y\r\n";
  CHECK(status(many + "\r\n") == 431);
}

TEST_CASE("an answer says how long it is, and HEAD has no body") {
  Answer answer;
  answer.body = "hello";
  answer.fields.emplace_back("Cache-Control", "no-store");
  CHECK(wire(answer, false) == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\nCache-Control: no-store\r\n\r\nhello");
  CHECK(wire(answer, true).ends_with("Content-Length: 5\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n"));
  CHECK(wire(refusal(405), false).starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
}

TEST_CASE("a form is read in both ways in which browsers and mail clients send it") {
  const Form one{{"List-Unsubscribe", "One-Click"}};
  CHECK(form("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click") == one);
  CHECK(form("Application/X-WWW-Form-Urlencoded; charset=utf-8", "List%2dUnsubscribe=One-Click") == one);
  CHECK(form("application/x-www-form-urlencoded", "a=%C3%A4+b&c&=d") == Form{{"a", "\xc3\xa4 b"}, {"c", ""}, {"", "d"}});
  CHECK(form("application/x-www-form-urlencoded", "").empty());
  CHECK(form("multipart/form-data; boundary=\"x y\"", "--x y\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x y--\r\n") == one);
  CHECK(form("multipart/form-data; boundary=b", "preamble\r\n--b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n2\r\n--b\r\n"
                                                 "Content-Disposition: form-data; name=b\r\n\r\n\r\n--b--") == Form{{"a", "1\r\n2"}, {"b", ""}});
  CHECK(value_of(one, "List-Unsubscribe") == "One-Click");
  CHECK(value_of(one, "other").empty());
}

TEST_CASE("a broken form, and what is none, is no form") {
  const Form nothing{{"nothing", ""}};
  for (auto body : {"a=%", "a=%4", "a=%zz", "%=1"}) CHECK(form("application/x-www-form-urlencoded", body) == nothing);
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=b&";
  CHECK(form("application/x-www-form-urlencoded", many) == nothing);
  CHECK(form("text/plain", "a=b") == nothing);
  CHECK(form("", "a=b") == nothing);
  for (auto body : {"", "--b", "--b\r\n", "--b--x", "--bad\r\n\r\n--b--", "--b\r\nno disposition\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: form-data; name=a\r\n--b--"}) {
    INFO(body);
    auto got = form("multipart/form-data; boundary=b", body);
    CHECK((got == nothing || got.empty()));
  }
  CHECK(form("multipart/form-data", "--\r\n\r\nx\r\n----") == nothing);
}
