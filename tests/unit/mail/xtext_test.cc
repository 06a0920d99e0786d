// mail: the escapes of delivery status, and foreign words in messages of ours.
#include "gateway/mail/xtext.h"

#include "gateway/base/text.h"
#include "gateway/mail/foreign.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("xtext is decoded and what is none stays") {
  for (auto [encoded, decoded] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"ann", "ann"}, {"a+2Bb+3D", "a+b="}, {"+0D+0A", "\r\n"}, {"+C3+BC", "ü"}, {"+", "+"}, {"+2", "+2"},
           {"+2b", "+2b"}, {"+ZZ", "+ZZ"}, {"++2B", "++"}, {"+2B2B", "+2B"}}) {
    INFO(encoded);
    CHECK(xtext_decoded(encoded) == decoded);
  }
}

TEST_CASE("unitext is decoded and what is none stays") {
  for (auto [encoded, decoded] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"ann", "ann"}, {"\\x{FC}", "ü"}, {"a\\x{7528}\\x{1F600}b", "a用😀b"}, {"\\x{5C}x{41}", "\\x{41}"},
           {"\\x{10FFFF}", "\xf4\x8f\xbf\xbf"}, {"\\x{110000}", "\\x{110000}"}, {"\\x{D800}", "\\x{D800}"}, {"\\x{}", "\\x{}"},
           {"\\x{1", "\\x{1"}, {"\\x{", "\\x{"}, {"\\x", "\\x"}, {"\\x{0000041}", "\\x{0000041}"}, {"\\x{ZZ}", "\\x{ZZ}"}, {"ü", "ü"}}) {
    INFO(encoded);
    CHECK(unitext_decoded(encoded) == decoded);
  }
}

TEST_CASE("addresses are escaped so that they can be read back") {
  CHECK(addr_xtext("ann@example.org") == "ann@example.org");
  CHECK(addr_xtext("a+b=\\ \x01\x7fü用😀") == "a\\x{2B}b\\x{3D}\\x{5C}\\x{20}\\x{01}\\x{7F}\\x{FC}\\x{7528}\\x{1F600}");
  CHECK(addr_unitext("a+b=\\ \x01\x7fü用😀") == "a\\x{2B}b\\x{3D}\\x{5C}\\x{20}\\x{01}\\x{7F}ü用😀");
  CHECK(ascii_escaped("a+b=\\ ü😀") == "a+b=\\ \\x{FC}\\x{1F600}");
  for (std::string text : {"", "ann", "\"a b\\\\\"@example.org", "用户+x=y@例子.example", "\\x{41}"}) {
    CHECK(unitext_decoded(addr_xtext(text)) == text);
    CHECK(unitext_decoded(addr_unitext(text)) == text);
    CHECK(is_ascii(addr_xtext(text)));
  }
}

TEST_CASE("text that is no UTF-8 is escaped without reading behind its end") {
  for (std::string text : {"\xff", "\xc3", "\xf0\x9f", "\x80", "a\xe4z"}) CHECK(is_ascii(addr_xtext(text)));
}

TEST_CASE("foreign words become one line of UTF-8 without controls") {
  CHECK(one_line("  a\r\nb\tc\x1b[0m\x7f  ") == "a  b c [0m");
  CHECK(one_line("\xc2\x9b" "a\xff") == "a\xef\xbf\xbd");
  CHECK(one_line("\r\n \t") == "");
  CHECK(one_line("aüü", 4) == "aü");
  CHECK(one_line(std::string(1000, '\xff'), 100).size() == 99);
  CHECK(shortened("aü", 2) == "a");
  CHECK(shortened("aü", 3) == "aü");
  CHECK(shortened("ü", 0) == "");
  CHECK(shortened(std::string(50, '\x80'), 20).size() == 17);
}

TEST_CASE("words are put in lines, and a word that no line can hold is cut between characters") {
  std::string out = "Name:";
  append_words(out, "one  two", " ");
  CHECK(out == "Name: one two");
  append_words(out, std::string(70, 'x'), " ");
  CHECK(out == "Name: one two " + std::string(70, 'x'));
  append_words(out, "a " + std::string(77, 'y') + " " + std::string(78, 'z'), " ");
  CHECK(out.ends_with("\r\n " + std::string(77, 'y') + "\r\n " + std::string(78, 'z')));

  out = "\r\n";
  append_words(out, "indented", "    ");
  CHECK(out == "\r\n    indented");
  append_words(out, " \t ", "    ");
  CHECK(out == "\r\n    indented");

  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "ü";
  out.clear();
  append_words(out, wide, "");
  for (std::string_view line : split(out, '\n')) CHECK(is_utf8(line));
  CHECK(out.size() == 2000 + 2 * 2);
}
