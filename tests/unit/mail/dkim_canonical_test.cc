// The relaxed canonical forms, RFC 6376 3.4.
#include "gateway/mail/dkim_canonical.h"

#include "tests/support/catch.h"

using namespace postern;

namespace {

std::string field(std::string_view name, std::string_view raw) {
  std::string out;
  mail::relaxed_field(name, raw, out);
  return out;
}

std::string body(std::string_view text) {
  std::string out;
  mail::relaxed_body(text, [&out](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace

TEST_CASE("a field is canonical by name, folding and white space") {
  struct Case {
    const char* name;
    const char* raw;
    const char* expected;
  };
  for (const auto& c : {Case{"A", " X", "a:X\r\n"},                               // RFC 6376 3.4.5
                        Case{"B ", " Y\t\r\n\tZ  ", "b :Y Z\r\n"},                // the caller gives the name without its white space
                        Case{"Subject", " =?utf-8?q?x?=\r\n  y", "subject:=?utf-8?q?x?= y\r\n"},
                        Case{"To", "", "to:\r\n"},
                        Case{"To", " \t ", "to:\r\n"},
                        Case{"X", "a\r\n\t \r\n b", "x:a b\r\n"},
                        Case{"X", "a\rb\nc", "x:a\rb\nc\r\n"},                    // no line ends
                        Case{"X", "\xc3\xa9  \xff", "x:\xc3\xa9 \xff\r\n"}}) {
    INFO(c.raw);
    CHECK(field(c.name, c.raw) == c.expected);
  }
}

TEST_CASE("a body is canonical by the white space of its lines and its empty end") {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (const auto& c : {Case{" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"},      // RFC 6376 3.4.5
                        Case{"", ""},
                        Case{"\r\n", ""},
                        Case{"\r\n\r\n \t\r\n", ""},
                        Case{"   ", ""},
                        Case{"a", "a\r\n"},
                        Case{"a\r\n", "a\r\n"},
                        Case{"a \t", "a\r\n"},
                        Case{"\r\n\r\na\r\n", "\r\n\r\na\r\n"},
                        Case{"a\r\n \r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
                        Case{"\t a\r\n", " a\r\n"},
                        Case{"a\rb\r\n", "a\rb\r\n"},
                        Case{"a\nb \n\r\n", "a\nb \n\r\n"},
                        Case{"a\r", "a\r\r\n"},
                        Case{"\xff\xfe  \x80\r\n", "\xff\xfe \x80\r\n"}}) {
    INFO(c.text);
    CHECK(body(c.text) == c.expected);
  }
}

TEST_CASE("a long body comes in pieces and whole") {
  std::string text, expected;
  for (int i = 0; i < 20'000; ++i) {
    text += "line  " + std::to_string(i) + " \r\n";
    expected += "line " + std::to_string(i) + "\r\n";
  }
  text += std::string(100'000, 'x') + std::string(100'000, ' ');
  expected += std::string(100'000, 'x') + "\r\n";
  for (int i = 0; i < 1000; ++i) text += "\r\n";
  CHECK(body(text) == expected);
}
