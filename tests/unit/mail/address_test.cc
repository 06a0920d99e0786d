// mail: envelope paths and address lists.
#include "gateway/mail/address.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

namespace {

std::string forward(std::string_view text, bool utf8 = false) {
  auto path = take_path(text, PathKind::forward, utf8);
  if (!path) return "error: " + path.error().text;
  return path->text() + "|" + std::string(text);
}

}  // namespace

TEST_CASE("a path is read up to its bracket and gets its canonical form") {
  CHECK(forward("<User@Example.ORG> SIZE=5") == "User@example.org| SIZE=5");
  CHECK(forward("<@a.example,@b.example:u@c.example>") == "u@c.example|");
  CHECK(forward("<\"a b\"@x.org>") == "\"a b\"@x.org|");
  CHECK(forward("<\"plain\"@x.org>") == "plain@x.org|");
  CHECK(forward("<\"a\\\"b\"@x.org>") == "\"a\\\"b\"@x.org|");
  CHECK(forward("<a@[192.0.2.1]>") == "a@[192.0.2.1]|");
  CHECK(forward("<a@[ipv6:2001:DB8::1]>") == "a@[IPv6:2001:db8::1]|");
  CHECK(forward("<PostMaster>") == "PostMaster|");
  CHECK(forward("<Đức@Bücher.example>", true) == "Đức@xn--bcher-kva.example|");
  CHECK(forward("<a..b@docomo.example>") == "\"a..b\"@docomo.example|");
}

TEST_CASE("a wrong path is refused with a reason") {
  for (std::string bad : {"", "a@b", "<", "<a", "<a@", "<a@b", "<@b>", "<a>", "<a@b c>", "<a b@c>", "<a@b>c<", "<\"a@b>", "<a@[1.2.3]>",
                          "<a@[IPv6:1.2.3.4]>", "<a@[::1]>", "<a@b..c>", "<a@b/c>", "<@a.example>", "<@a,b:c@d>", "<a@b@c>", "<\"a\nb\"@c>",
                          "<Đức@x.org>", "<>"}) {
    INFO(bad);
    CHECK((forward(bad).starts_with("error: ") || bad == "<a@b>c<"));
  }
  CHECK(forward("<\xff@x.org>", true).starts_with("error: "));
  CHECK(forward("<" + std::string(200, 'a') + "@x.org>").starts_with(std::string(200, 'a')));   // made by SRS, VERP
  CHECK(forward("<" + std::string(257, 'a') + "@x.org>").starts_with("error: "));
  CHECK(forward("<a@" + std::string(60, 'b') + "." + std::string(60, 'b') + "." + std::string(60, 'b') + "." + std::string(70, 'b') + ">")
            .starts_with("error: "));
}

TEST_CASE("only the reverse path may be null") {
  std::string_view text = "<> SIZE=1";
  auto path = take_path(text, PathKind::reverse, false);
  REQUIRE(path);
  CHECK(path->is_null());
  CHECK(path->bracketed() == "<>");
  CHECK(text == " SIZE=1");
  text = "<postmaster>";
  CHECK_FALSE(take_path(text, PathKind::reverse, false));
}

TEST_CASE("a whole address is read without brackets") {
  CHECK(parse_address("u@Example.org")->domain == "example.org");
  CHECK(parse_address("đ@x.org")->needs_utf8());
  for (std::string bad : {"", "u", "u@", "@x", "u@x ", "<u@x>", "u@x,v@x"}) {
    INFO(bad);
    CHECK_FALSE(parse_address(bad));
  }
}

TEST_CASE("address lists are read in all forms that senders write") {
  struct Case {
    std::string_view in;
    std::vector<std::string> out;   // "display name <address>", "group:", ";"
  };
  const Case cases[] = {
      {"", {}},
      {"a@x.org", {" <a@x.org>"}},
      {"A B <a@x.org>, \"C, D\" <c@x.org>", {"A B <a@x.org>", "C, D <c@x.org>"}},
      {"a@x.org (John (the) Doe)", {"John (the) Doe <a@x.org>"}},
      {"John Q. Public <j@x.org>", {"John Q. Public <j@x.org>"}},
      {"=?utf-8?q?Ti=E1=BA=BFng?= =?utf-8?q?_Vi=E1=BB=87t?= <t@x.org>", {"Tiếng Việt <t@x.org>"}},
      {"=?utf-8?Q?Doe,_John?= <j@x.org>", {"Doe, John <j@x.org>"}},
      {"Team: a@x.org, B <b@x.org>; c@x.org", {"Team:", " <a@x.org>", "B <b@x.org>", ";", " <c@x.org>"}},
      {"undisclosed-recipients:;", {"undisclosed-recipients:", ";"}},
      {"G: a@x.org", {"G:", " <a@x.org>", ";"}},
      {"j . d @ x . org", {" <j.d@x.org>"}},
      {"<@r.org,@s.org:a@x.org>", {" <a@x.org>"}},
      {"\"a b\"@x.org", {" <a b@x.org>"}},
      {"A <a@x.org", {"A <a@x.org>"}},
      {"a@x.org; b@x.org", {" <a@x.org>", " <b@x.org>"}},
      {",, a@x.org,,", {" <a@x.org>"}},
      {"John Doe", {" <John Doe>"}},
      {"John j@x.org", {"John <j@x.org>"}},
      {"a@b.org <a@b.org>", {"a@b.org <a@b.org>"}},
      {"a@[192.0.2.1]", {" <a@[192.0.2.1]>"}},
      {"A\r\n B\r\n <a@x.org>", {"A B <a@x.org>"}},
      {"<>", {" <>"}},
      {"\"unclosed", {" <unclosed>"}},
      {"(unclosed", {}},
      {"a@x.org (unclosed", {"unclosed <a@x.org>"}},
      {"[", {" <[>"}},
  };
  for (const auto& [in, out] : cases) {
    INFO(in);
    std::vector<std::string> got;
    for (const HeaderAddress& entry : parse_address_list(in)) {
      if (entry.kind == HeaderAddress::Kind::group_begin) got.push_back(entry.display_name() + ":");
      if (entry.kind == HeaderAddress::Kind::group_end) got.push_back(";");
      if (entry.kind == HeaderAddress::Kind::mailbox) got.push_back(entry.display_name() + " <" + entry.address() + ">");
    }
    CHECK(got == out);
  }
}

TEST_CASE("a hostile address list is bounded") {
  for (std::string piece : {"a@b,", "(", "\"", "<", "=?", "a:", "a:;", "@", ".", "[", "\\", "=?a?q?", " "}) {
    INFO(piece);
    std::string list;
    while (list.size() < 10'000'000) list += piece;
    CHECK(parse_address_list(list).size() <= kMaxHeaderAddresses + 1);
    CHECK(parse_address_list(list, 3).size() <= 3);
  }
}
