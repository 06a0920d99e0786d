// Command lines and replies.
#include "gateway/smtp/command.h"
#include "gateway/smtp/reply.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp;

TEST_CASE("verbs are known in any case and the argument is trimmed") {
  CHECK(parse_command("mail FROM:<a@b.example>").verb == Verb::mail);
  CHECK(parse_command("MAIL  FROM:<a@b.example> ").argument == "FROM:<a@b.example>");
  CHECK(parse_command("QUIT").verb == Verb::quit);
  CHECK(parse_command("QUITE").verb == Verb::unknown);
  CHECK(parse_command("").verb == Verb::unknown);
}

TEST_CASE("a path argument gives the address and its parameters") {
  auto parsed = parse_path_argument("FROM:<a@b.example> SIZE=10 body=8BITMIME SMTPUTF8", mail::PathKind::reverse);
  REQUIRE(parsed);
  CHECK(parsed->path.text() == "a@b.example");
  REQUIRE(parsed->params.size() == 3);
  CHECK(parsed->params[0] == std::pair<std::string, std::string>("SIZE", "10"));
  CHECK(parsed->params[1].first == "BODY");
  CHECK(parsed->params[2].second.empty());
  CHECK_FALSE(parsed->needs_utf8);
}

TEST_CASE("a quoted local part may hold brackets and spaces") {
  auto parsed = parse_path_argument("TO:<\"a> b\"@b.example> X=1", mail::PathKind::forward);
  REQUIRE(parsed);
  CHECK(parsed->path.local == "a> b");
  CHECK(parsed->params.size() == 1);
}

TEST_CASE("bad path arguments are refused with words") {
  for (const char* bad : {"", "FROM", "FROM:", "FROM:a@b.example", "FROM:<a@b.example", "FROM:<a@b.example>SIZE=1", "TO:<a@b.example>"}) {
    INFO(bad);
    auto parsed = parse_path_argument(bad, mail::PathKind::reverse);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().text.empty());
  }
}

TEST_CASE("xtext is decoded, broken xtext refused") {
  CHECK(*decode_xtext("a+2Bb+3D") == "a+b=");
  CHECK_FALSE(decode_xtext("a+2"));
  CHECK_FALSE(decode_xtext("a+zz"));
}

TEST_CASE("a multiline reply repeats code and enhanced code") {
  Reply reply(250, "2.0.0", "one");
  reply.and_line("two");
  CHECK(reply.wire() == "250-2.0.0 one\r\n250 2.0.0 two\r\n");
}

TEST_CASE("a reason with a line end cannot forge a second reply") {
  CHECK(Reply(550, "5.7.1", "no\r\n250 yes").wire() == "550 5.7.1 no  250 yes\r\n");
}

TEST_CASE("a long reason is cut below 512 octets and not inside a character") {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "\xc3\xa9";
  auto wire = Reply(550, "5.7.1", text).wire();
  CHECK(wire.size() <= 512);
  CHECK(wire.ends_with("\xc3\xa9...\r\n"));
}
