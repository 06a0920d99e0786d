// A message in the forms that patterns of other filters are written for.
#include "filters/source_text.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

const std::string kMail =
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n  again\r\nFrom: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html;\r\n charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>caf=E9</b>=\r\n!\r\n--x\r\nContent-Type: image/gif;\r\n name=\"a.gif\"\r\n\r\nGIF\r\n--x--\r\n";

}  // namespace

TEST_CASE("paragraphs become lines with single spaces behind the subject") {
  CHECK(paragraphs_of("Hi", "a \t b\nc\n\n\n d\xc2\xa0\xc2\xa0""e \n \n f") == "Hi\na b c\nd e\nf\n");
  CHECK(paragraphs_of("", "") == "\n");
  CHECK(paragraphs_of("Hi", "\n\n  \n") == "Hi\n");
  CHECK(paragraphs_of("Hi", "one\r\n\r\ntwo") == "Hi\none\ntwo\n");
}

TEST_CASE("raw text keeps tags and charset and loses its transfer encoding") {
  CHECK(raw_text_of(kMail) == "<b>caf\xe9</b>!\n");
  CHECK(raw_text_of("Subject: x\r\n\r\none\r\ntwo\r\n") == "one\ntwo\n");
  CHECK(raw_text_of("") == "");
}

TEST_CASE("header and source are as received but for their line ends") {
  CHECK(header_source_of(kMail).starts_with("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n  again\nFrom: a@b.example\n"));
  CHECK(header_source_of(kMail).ends_with("boundary=x\n"));
  CHECK(header_text_of(mail::HeaderBlock(kMail)).starts_with("Subject: Gr\xc3\xbc\xc3\x9f""e"));
  CHECK(header_text_of(mail::HeaderBlock(kMail)).find("again\nFrom: a@b.example\n") != std::string::npos);
  CHECK(source_of("a\r\nb\rc\r\n") == "a\nb\rc\n");
}

TEST_CASE("the fields of every part stand on lines of their own") {
  auto lines = part_headers_of(kMail);
  CHECK(lines.find("\nContent-Type: text/html; charset=iso-8859-1\n") != std::string::npos);
  CHECK(lines.find("\nContent-Type: image/gif; name=\"a.gif\"\n") != std::string::npos);
}

TEST_CASE("only the beginning of a large message is looked at") {
  std::string large = "Subject: x\r\n\r\n";
  while (large.size() < 3 * kMaxSource) large += "word\r\n";
  CHECK(source_of(large).size() <= kMaxSource);
  CHECK(raw_text_of(large).size() <= kMaxSource);
  CHECK(paragraphs_of("", large).size() <= kMaxSource + 2);
  std::string fields;
  while (fields.size() < 3 * kMaxSource) fields += "X-Field: value\r\n";
  CHECK(header_source_of(fields).size() <= kMaxSource);
  CHECK(header_text_of(mail::HeaderBlock(fields)).size() <= kMaxSource);
  CHECK(part_headers_of(fields).size() <= kMaxSource + 100);
}
