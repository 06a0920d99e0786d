// Command lines and SASL PLAIN messages.
#include "gateway/pop3/command.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::pop3;

TEST_CASE("a command is a case-blind keyword and what follows one space") {
  struct Case {
    std::string line;
    Verb verb;
    std::string argument;
  };
  const std::vector<Case> cases = {
      {"STAT", Verb::stat, ""},           {"stat", Verb::stat, ""},        {"RETR 1", Verb::retr, "1"}, {"retr  1 ", Verb::retr, "1"},
      {"PASS a b ", Verb::pass, "a b "},  {"PASS  x", Verb::pass, " x"},   {"PASS", Verb::pass, ""},    {"USER a@b c", Verb::user, "a@b c"},
      {"TOP 1 0", Verb::top, "1 0"},      {"XYZZY", Verb::unknown, ""},    {"", Verb::unknown, ""},     {" STAT", Verb::unknown, "STAT"},
      {"STATX", Verb::unknown, ""},       {"STAT\t1", Verb::unknown, ""},  {"APOP a b", Verb::unknown, "a b"},
  };
  for (const auto& c : cases) {
    INFO(c.line);
    auto command = parse_command(c.line);
    CHECK(command.verb == c.verb);
    CHECK(command.argument == c.argument);
  }
}

TEST_CASE("message numbers begin with 1 and have no signs") {
  CHECK(parse_message_number("1") == 1U);
  CHECK(parse_message_number("007") == 7U);
  CHECK(parse_message_number("4294967295") == 4294967295U);
  for (const auto* bad : {"0", "", "-1", "+1", "1 2", "x", "4294967296", "99999999999999999999", "00000000001"}) {
    INFO(bad);
    CHECK_FALSE(parse_message_number(bad));
  }
}

TEST_CASE("TOP has a message and a count") {
  auto top = parse_top("3 10");
  REQUIRE(top);
  CHECK(top->message == 3);
  CHECK(top->lines == 10);
  for (const auto* bad : {"", "3", "0 1", "1 -1", "1 2 3", "x 1"}) CHECK_FALSE(parse_top(bad));
}
