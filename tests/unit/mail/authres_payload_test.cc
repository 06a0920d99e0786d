// Authentication results that others wrote.
#include "gateway/mail/authres_payload.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::mail;

namespace {

// "id: method=result{reason}[name=value,...] ...", and "!n" for n malformed pieces.
std::string shown(std::string_view text) {
  auto payload = parse_authres_payload(text);
  std::string out = payload.authserv_id + ":";
  for (const auto& result : payload.results) {
    out += " " + result.method + "=" + result.result;
    if (!result.reason.empty()) out += "{" + result.reason + "}";
    if (result.properties.empty()) continue;
    out += "[";
    for (const auto& each : result.properties) out += (out.back() == '[' ? "" : ",") + each.name + "=" + each.value;
    out += "]";
  }
  if (payload.malformed != 0) out += " !" + std::to_string(payload.malformed);
  return out;
}

}  // namespace

TEST_CASE("results are read as RFC 8601 has them and as large senders write them") {
  struct Case { std::string_view text; std::string want; };
  const Case cases[] = {
      {" mx.example; none", "mx.example:"},
      {"mx.example 1; none", "mx.example:"},
      {"mx.example", "mx.example:"},
      {"", ":"},
      {"mx.example; spf=pass smtp.mailfrom=a@b.example; dkim=pass header.d=b.example header.s=s",
       "mx.example: spf=pass[smtp.mailfrom=a@b.example] dkim=pass[header.d=b.example,header.s=s]"},
      // Google's comments, quotes and final semicolon
      {"mx.google.com;\r\n dkim=pass header.i=@x.example header.b=\"ab/+\";\r\n arc=pass (i=1 spf=pass spfdomain=y);\r\n"
       " spf=pass (google.com: domain of a@x.example; designates (192.0.2.1) as permitted) smtp.mailfrom=\"a b\"@x.example;\r\n"
       " dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=x.example;",
       "mx.google.com: dkim=pass[header.i=@x.example,header.b=ab/+] arc=pass spf=pass[smtp.mailfrom=a b@x.example] dmarc=pass[header.from=x.example]"},
      // Microsoft's version and properties without ptype
      {"mx.microsoft.com 1; spf=pass smtp.mailfrom=x.example; dmarc=pass action=none header.from=x.example; dkim=none; arc=none (0)",
       "mx.microsoft.com: spf=pass[smtp.mailfrom=x.example] dmarc=pass[action=none,header.from=x.example] dkim=none arc=none"},
      {"a; DKIM/1 = Fail reason = \"it is; (bad)\" Header . D = x", "a: dkim=fail{it is; (bad)}[header.d=x]"},
      {"a; dkim / 1=pass", "a: dkim=pass"},
      {"a;(dmarc=pass) spf=fail", "a: spf=fail"},
      {"a; spf=fail reason=\"x; dmarc=pass\"", "a: spf=fail{x; dmarc=pass}"},
      {"a; spf=fail smtp.mailfrom=\"x\\\"; dmarc=pass\"", "a: spf=fail[smtp.mailfrom=x\"; dmarc=pass]"},
      {"\"a;b\"; spf=pass", "a;b: spf=pass"},
      // What is no result is left out, and told
      {"a; dmarc", "a: !1"},
      {"a; dmarc=", "a: !1"},
      {"a; dmarc=pass header", "a: !1"},
      {"a; dmarc=pass header.from", "a: !1"},
      {"a; dmarc/x=pass; spf=pass", "a: spf=pass !1"},
      {"a b c; spf=pass", "a: spf=pass !1"},
      {"a; =pass; spf=pass", "a: spf=pass !1"},
      {"a; dmarc=pass =x", "a: !1"},
      {"a; none; dmarc=pass", "a: dmarc=pass"},
      {"a; none x", "a: !1"},
      {"a; spf=pass (never ends; dmarc=pass", "a: spf=pass"},
      {"a; spf=pass x=\"never ends; dmarc=pass", "a: spf=pass[x=never ends; dmarc=pass]"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(shown(c.text) == c.want);
  }
}

TEST_CASE("what goes beyond a bound is left out and counts as malformed") {
  std::string many = "a";
  for (std::size_t i = 0; i < kMaxAuthresResults + 5; ++i) many += "; m=pass";
  auto payload = parse_authres_payload(many);
  CHECK(payload.results.size() == kMaxAuthresResults);
  CHECK(payload.malformed == 5);
  std::string wide = "a; m=pass";
  for (std::size_t i = 0; i <= kMaxAuthresProperties; ++i) wide += " x.y=z";
  CHECK(parse_authres_payload(wide).malformed == 1);
  std::string long_value = "a; m=pass x.y=" + std::string(5'000, 'z');
  CHECK(parse_authres_payload(long_value).results.at(0).properties.at(0).value.size() == 1'000);
  // Behind the end of what is read nothing can be taken for a result, not even half of one.
  std::string cut = "a; x=" + std::string(kMaxAuthresPayload - 14, 'z') + "; m=pass; dmarc=passport";
  CHECK(parse_authres_payload(cut).results.empty());
  CHECK(parse_authres_payload(cut).malformed > 0);
  CHECK_FALSE(parse_authres_payload(cut).well_formed());
}

TEST_CASE("hostile payloads cost no more than their length") {
  for (std::string_view unit : {"(", ";", "\"", "\\", "=", "a=b;", "a=b c", "()", ".", "/", "a=b x.y=z "}) {
    CAPTURE(unit);
    CHECK(testing::grows_with_its_length(
        [&](std::size_t size) {
          std::string text = "a;";
          while (text.size() < size) text += unit;
          auto payload = parse_authres_payload(text);
          auto rest = std::string_view(text);
          skip_cfws(rest);
          REQUIRE(payload.results.size() <= kMaxAuthresResults);
          REQUIRE(combined_results("Authentication-Results: " + text + "\r\n", "a").size() <= kMaxAuthresPayload);
        },
        1'000'000));
  }
}

TEST_CASE("our own results of several fields become one payload, and nobody else's") {
  std::string message =
      "Authentication-Results: mx.example; arc=none;\r\n  spf=pass (a; b) smtp.mailfrom=x@y\r\n"
      "Authentication-Results: evil.example; dmarc=pass\r\n"
      "authentication-results: MX.example 1;\r\n dmarc=pass;\r\n"
      "Authentication-Results: mx.example; none\r\n"
      "Authentication-Results: mx.example\r\n\r\nAuthentication-Results: mx.example; dkim=pass\r\n";
  CHECK(combined_results(message, "mx.example") == "mx.example;\r\n\tarc=none;\r\n\tspf=pass (a; b) smtp.mailfrom=x@y;\r\n\tdmarc=pass");
  CHECK(combined_results("From: a\r\n\r\n", "mx.example") == "mx.example; none");
  std::string huge;
  for (int i = 0; i < 1'000; ++i) huge += "Authentication-Results: mx.example; x=" + std::string(500, 'y') + "\r\n";
  CHECK(combined_results(huge + "\r\n", "mx.example").size() < kMaxAuthresPayload);
}

TEST_CASE("the results of one method and a property are found by name") {
  auto payload = parse_authres_payload("a; dkim=pass header.d=x; spf=fail; dkim=fail header.d=y");
  REQUIRE(payload.of("dkim").size() == 2);
  CHECK(property(*payload.of("dkim")[1], "header.d") == "y");
  CHECK(property(*payload.of("dkim")[1], "header.s").empty());
  CHECK(payload.of("arc").empty());
}
