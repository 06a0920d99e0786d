// The grammar of SPF records and macros, RFC 7208 7 and 12.
#include "filters/spf_record.h"

#include "filters/spf_macro.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::string mistake_in(const std::string& record) {
  auto parsed = parse_spf_record(record);
  return parsed ? "" : parsed.error().text;
}

MacroValues values(const std::string& ip) {
  MacroValues out;
  out.ip = *IpAddress::parse(ip);
  out.local = "strong-bad";
  out.sender_domain = "email.example.com";
  out.domain = "email.example.com";
  out.helo = "mx.example.org";
  out.receiver = "mx.corp.example";
  out.now = 1'795'492'742;
  return out;
}

}  // namespace

TEST_CASE("a record begins with v=spf1 and a space or its end") {
  CHECK(is_spf_record("v=spf1"));
  CHECK(is_spf_record("V=SpF1 -all"));
  CHECK_FALSE(is_spf_record("v=spf10"));
  CHECK_FALSE(is_spf_record("v=spf1-all"));
  CHECK_FALSE(is_spf_record(" v=spf1"));
  CHECK_FALSE(is_spf_record(""));
}

TEST_CASE("a record is read term by term") {
  auto record = parse_spf_record("v=spf1 a/24//64 -MX:mail.example.com ~ip4:192.0.2.9/24 ?ip6:2001:db8::/32 include:%{d}.example redirect=_spf.example.com  exp=why.example.com other=fine ");
  REQUIRE(record.has_value());
  REQUIRE(record->directives.size() == 5);
  CHECK(record->directives[0].prefix4 == 24);
  CHECK(record->directives[0].prefix6 == 64);
  CHECK(record->directives[1].mechanism == SpfMechanism::mx);
  CHECK(record->directives[1].verdict == SpfResult::fail);
  CHECK(record->directives[1].domain == "mail.example.com");
  CHECK(record->directives[2].verdict == SpfResult::softfail);
  CHECK(record->directives[2].prefix == 24);
  CHECK(record->directives[3].network.to_string() == "2001:db8::");
  CHECK(record->directives[3].verdict == SpfResult::neutral);
  CHECK(record->directives[4].domain == "%{d}.example");
  CHECK(record->redirect == "_spf.example.com");
  CHECK(record->explanation == "why.example.com");
}

TEST_CASE("one mistake anywhere spoils the record, and its error says what was meant") {
  struct {
    const char* record;
    const char* error;
  } const table[] = {
      {"v=spf1 ipv4:192.0.2.1 -all", "\"ipv4:192.0.2.1\": is no mechanism (ip4?)"},
      {"v=spf1 inclde:example.com -all", "\"inclde:example.com\": is no mechanism (include?)"},
      {"v=spf1 -all moo", "\"moo\": is no mechanism"},
      {"v=spf1 a:192.0.2.1", "\"a:192.0.2.1\": is an address where a domain belongs (ip4: or ip6: is meant)"},
      {"v=spf1 a:museum", "\"a:museum\": is no valid domain (RFC 7208 7.1)"},
      {"v=spf1 a:", "\"a:\": has no domain behind the \":\""},
      {"v=spf1 a/33", "\"a/33\": has a wrong prefix length"},
      {"v=spf1 a/024", "\"a/024\": has a wrong prefix length"},
      {"v=spf1 a//129", "\"a//129\": has a wrong prefix length"},
      {"v=spf1 a/", "\"a/\": has something other than \":\" behind the name of the mechanism"},
      {"v=spf1 include", "\"include\": needs \":\" and a domain"},
      {"v=spf1 exists:example.com/24", "\"exists:example.com/24\": is no valid domain (RFC 7208 7.1)"},
      {"v=spf1 all:x", "\"all:x\": \"all\" takes nothing behind it"},
      {"v=spf1 ip4:192.0.2", "\"ip4:192.0.2\": is no IPv4 address"},
      {"v=spf1 ip4:192.0.2.1/33", "\"ip4:192.0.2.1/33\": has a wrong prefix length"},
      {"v=spf1 ip4:192.0.2.1/", "\"ip4:192.0.2.1/\": has a wrong prefix length"},
      {"v=spf1 ip4:2001:db8::", "\"ip4:2001:db8::\": is no IPv4 address"},
      {"v=spf1 ip6:192.0.2.1", "\"ip6:192.0.2.1\": is no IPv6 address"},
      {"v=spf1 redirect=a.example redirect=b.example", "\"redirect=b.example\": stands twice in the record"},
      {"v=spf1 exp=%{r}.example.com", "\"exp=%{r}.example.com\": is no valid domain (RFC 7208 7.1)"},
      {"v=spf1 x=%{z}", "\"x=%{z}\": has a malformed macro"},
      {"v=spf1 -x=1", "\"-x=1\": is no mechanism"},
      {"v=spf1 \xc3\xa4", "the record has an octet that is neither a visible ASCII character nor a space (RFC 7208 3.1)"},
      {"v=spf1\t-all", ""},
  };
  for (const auto& row : table) {
    if (*row.error == '\0') {
      CHECK_FALSE(is_spf_record(row.record));
    } else {
      CHECK(mistake_in(row.record) == row.error);
    }
  }
  CHECK(mistake_in("v=spf1 a:" + std::string(1'001, 'x') + ".com").find("too long") != std::string::npos);
}

TEST_CASE("an IPv6 network that is IPv4-mapped matches nobody, but a wider one does") {
  CHECK(parse_spf_record("v=spf1 ip6:::ffff:1.2.3.4")->directives[0].never);
  CHECK(parse_spf_record("v=spf1 ip6:::ffff:1.2.3.4/96")->directives[0].never);
  auto wide = parse_spf_record("v=spf1 ip6:::ffff:1.2.3.4/88");
  CHECK_FALSE(wide->directives[0].never);
  CHECK(wide->directives[0].network.to_string() == "::ff00:0:0");
  CHECK_FALSE(parse_spf_record("v=spf1 ip6:::1.1.1.1/0")->directives[0].never);
}

TEST_CASE("macros expand as in RFC 7208 7.4") {
  struct {
    const char* text;
    const char* expanded;
  } const table[] = {
      {"%{s}", "strong-bad@email.example.com"},
      {"%{o}", "email.example.com"},
      {"%{d}", "email.example.com"},
      {"%{d4}", "email.example.com"},
      {"%{d3}", "email.example.com"},
      {"%{d2}", "example.com"},
      {"%{d1}", "com"},
      {"%{dr}", "com.example.email"},
      {"%{d2r}", "example.email"},
      {"%{l}", "strong-bad"},
      {"%{l-}", "strong.bad"},
      {"%{lr}", "strong-bad"},
      {"%{lr-}", "bad.strong"},
      {"%{l1r-}", "strong"},
      {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
      {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
      {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
      {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
      {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
      {"%{h} %{c} %{r} %{t}", "mx.example.org 192.0.2.3 mx.corp.example 1795492742"},
      {"%{p}", "unknown"},
      {"%{S}%%%_%-", "strong-bad%40email.example.com% %20"},
      {"%{d99999999999999999999}", "email.example.com"},
      {"%{l1r+-/}", "strong"},
  };
  for (const auto& row : table) {
    CHECK(is_macro_string(row.text, MacroPlace::explanation));
    CHECK(expand_macros(row.text, values("192.0.2.3")) == row.expanded);
  }
  CHECK(expand_macros("%{ir}.%{v}._spf.%{d2}", values("2001:db8::cb01")) ==
        "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com");
  CHECK(expand_macros("%{c}", values("2001:db8::cb01")) == "2001:db8::cb01");
}

TEST_CASE("%{d2} of a name with two labels keeps its first letter") {
  auto here = values("192.0.2.3");
  here.domain = "mac.test";
  CHECK(expand_macros("%{d2}", here) == "mac.test");
  CHECK(expand_macros("%{d3}", here) == "mac.test");
}

TEST_CASE("%{p} prefers the domain itself, then a name below it, then any") {
  auto here = values("192.0.2.3");
  here.validated = {"other.example.net", "mail.email.example.com"};
  CHECK(expand_macros("%{p}", here) == "mail.email.example.com");
  here.validated.push_back("email.example.com");
  CHECK(expand_macros("%{p}", here) == "email.example.com");
  here.validated = {"notemail.example.com"};
  CHECK(expand_macros("%{p}", here) == "notemail.example.com");
}

TEST_CASE("malformed macros are refused") {
  for (const char* text : {"%", "%a", "%{", "%{}", "%{d", "%{x}", "%{d0}", "%{d2rr}", "%{dr2}", "%{d;}", "%{ir", "a%", "%(ir)", "%{c}", "%{r}", "%{t}", "a b", "\x7f"}) {
    CHECK_FALSE(is_macro_string(text, MacroPlace::record));
  }
  CHECK(is_macro_string("a b %{c}", MacroPlace::explanation));
}

TEST_CASE("a domain-spec ends in a macro or in a top label") {
  for (const char* text : {"example.com", "example.com.", "%{d}", "x.%{d2}", "%{d}.x", "%{i}._spf.%{d2}", "a:b/c.example.com", "foo.xn--zckzah", "x.a-b", "..x.com", "%%", "example.%_"}) {
    CHECK(is_domain_spec(text));
  }
  for (const char* text : {"", "com", "com.", ".", "example.-com", "example.com-", "abc.123", "%{d}x", "example.com:80", "foo-bar", "example.c_m", "x.%{d}.", "a.b.."}) {
    CHECK_FALSE(is_domain_spec(text));
  }
}

TEST_CASE("a name that grew too long loses labels from the left") {
  auto here = values("192.0.2.3");
  here.sender_domain = "somewhat.long.exp.example.com";
  auto name = expand_domain("foobar.%{o}.%{o}.%{o}.%{o}.%{o}.%{o}.%{o}.%{o}.Example.com.", here);
  CHECK(name.size() <= 253);
  CHECK(name.starts_with("somewhat.long.exp."));
  CHECK(name.ends_with("example.com"));
  here.local = std::string(400, 'x');
  CHECK(expand_domain("%{l}", here).size() == 400);  // one label: cannot be asked, the resolver says so
}
