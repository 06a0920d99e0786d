// Syntax elements, literals in place, and what must be refused.  RFC 3501 9.
#include "gateway/imap/parser.h"
#include "gateway/imap/reader.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::imap;

namespace {

std::optional<std::string> astring(std::string_view text) {
  Parser parser(text);
  auto value = parser.astring();
  if (!parser.at_end()) return std::nullopt;
  return value;
}

std::optional<std::string> set_text(std::string_view text, std::uint32_t last) {
  auto set = SequenceSet::parse(text);
  if (!set) return std::nullopt;
  std::string out;
  for (auto [a, b] : set->resolved(last)) out += std::to_string(a) + "-" + std::to_string(b) + " ";
  return out;
}

}  // namespace

TEST_CASE("an astring is an atom, a quoted string or a literal") {
  CHECK(astring("abc]") == "abc]");
  CHECK(astring("\"a \\\"b\\\\\"") == "a \"b\\");
  CHECK(astring("\"\"") == "");
  CHECK(astring("{3}\r\na\r\n") == "a\r\n");
  CHECK(astring("{3+}\r\n{2}") == "{2}");
  CHECK(astring("{0}\r\n") == "");
  CHECK(astring("\"gr\xc3\xbc\xc3\x9f\"") == "gr\xc3\xbc\xc3\x9f");
  for (std::string text : {"", "\"abc", "\"a\\b\"", "\"a\rb\"", "{3}\r\nab", "{3}\nabc", "{}\r\n", "{-1}\r\n", "{3}abc", "a b", "a\"", "(", "a%",
                           "{3} \r\nabc", "\"a\\", "{18446744073709551616}\r\n", "{99999999999999999}\r\nx"}) {
    INFO(text);
    CHECK_FALSE(astring(text));
  }
  CHECK_FALSE(astring(std::string("{3}\r\na\0b", 8)));
  CHECK_FALSE(astring(std::string("\"a\0b\"", 5)));
}

TEST_CASE("a number is decimal and fits") {
  auto number = [](std::string_view text) {
    Parser parser(text);
    return parser.number();
  };
  CHECK(number("0") == 0u);
  CHECK(number("4294967295") == 4294967295u);
  CHECK_FALSE(number("4294967296"));
  CHECK_FALSE(number(""));
  CHECK_FALSE(number("-1"));
}

TEST_CASE("sequence sets resolve to ascending, disjoint ranges") {
  CHECK(set_text("1,3:5,4:7,9", 10) == "1-1 3-7 9-9 ");
  CHECK(set_text("5:3", 10) == "3-5 ");
  CHECK(set_text("*", 10) == "10-10 ");
  CHECK(set_text("12:*", 10) == "10-12 ");
  CHECK(set_text("*:2", 10) == "2-10 ");
  CHECK(set_text("1:3,4:6", 10) == "1-6 ");
  CHECK(set_text("1:*", 0) == "");
  CHECK(set_text("4294967295", 1) == "4294967295-4294967295 ");
  for (std::string text : {"", ",", "1,", ",1", "0", "1:", ":1", "01", "1:2:3", "a", "4294967296", "1 2", "**", "1,,2"}) {
    INFO(text);
    CHECK_FALSE(SequenceSet::parse(text));
  }
  std::string many = "1";
  for (std::size_t i = 0; i < SequenceSet::kMaxRanges; ++i) many += ",1";
  CHECK_FALSE(SequenceSet::parse(many));
  CHECK(compact_set({1, 2, 3, 5, 7, 8}) == "1:3,5,7:8");
  CHECK(compact_set({}).empty());
}

TEST_CASE("flag lists know the system flags and keep keywords as written") {
  Parser parser("(\\seen \\Flagged $Work $WORK)");
  auto flags = parser.flag_list();
  REQUIRE(flags);
  CHECK(flags->system == (store::flag::seen | store::flag::flagged));
  CHECK(flags->keywords == std::vector<std::string>{"$Work"});
  Parser bare("\\Deleted a");
  CHECK(bare.store_flags()->keywords == std::vector<std::string>{"a"});
  for (std::string text : {"(", "(\\Recent)", "(\\Frob)", "(a b", "( a)", "(a )", "(a  b)", "(\\*)", "()x("}) {
    INFO(text);
    Parser wrong(text);
    auto got = wrong.flag_list();
    CHECK((!got || !wrong.at_end()));
  }
}

TEST_CASE("dates exist or are refused") {
  auto date = [](std::string_view text) {
    Parser parser(text);
    auto day = parser.date();
    return parser.at_end() ? day : std::nullopt;
  };
  CHECK(date("1-Jan-1970") == 0);
  CHECK(date("\"01-Feb-1970\"") == 31);
  CHECK(date("29-feb-2024") == 19782);
  for (std::string text : {"29-Feb-2023", "0-Jan-2000", "32-Jan-2000", "1-Foo-2000", "1-Jan-00", "1-Jan", "", "\"1-Jan-2000", "-1-Jan-2000"}) {
    INFO(text);
    CHECK_FALSE(date(text));
  }
  auto moment = [](std::string_view text) {
    Parser parser(text);
    return parser.date_time();
  };
  CHECK(to_unix(*moment("\"17-Jul-1996 02:44:25 -0700\"")) == 837596665);
  CHECK(to_unix(*moment("\" 1-Jan-1970 00:00:00 +0000\"")) == 0);
  for (std::string text : {"\"17-Jul-1996 02:44:25\"", "\"17-Jul-1996 24:44:25 -0700\"", "\"31-Jun-1996 02:44:25 -0700\"", "17-Jul-1996",
                           "\"17-Jul-1996 02:44:25 *0700\"", "\"17-Jul-1996 02:4x:25 -0700\""}) {
    INFO(text);
    CHECK_FALSE(moment(text));
  }
}

TEST_CASE("a literal is announced only at the end of a line") {
  CHECK(announced_literal("a LOGIN {5}")->octets == 5);
  CHECK(announced_literal("a LOGIN {5}")->waits);
  CHECK_FALSE(announced_literal("{5+}")->waits);
  for (std::string line : {"{5} ", "{}", "{+}", "{5-}", "5}", "{5", "{x}", "{1234567890123456789}", "\"{5}\""}) {
    INFO(line);
    CHECK_FALSE(announced_literal(line));
  }
}

TEST_CASE("the message of an APPEND is told from its other literals") {
  CHECK(is_append_up_to_message("a APPEND INBOX {5}"));
  CHECK(is_append_up_to_message("a append \"x y\" (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {5+}"));
  CHECK(is_append_up_to_message("a APPEND {1}\r\nx {5}"));
  for (std::string text : {"a APPEND {5}", "a APPEND INBOX", "a LOGIN x {5}", "a APPEND INBOX {5}\r\nabcde {6}", "a APPEND INBOX (\\Seen {5}",
                           "APPEND INBOX {5}", "a APPENDX INBOX {5}"}) {
    INFO(text);
    CHECK_FALSE(is_append_up_to_message(text));
  }
}
