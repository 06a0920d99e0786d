// Which fields a signature covers, and the forms that are hashed.
#include "gateway/mail/dkim_fields.h"

#include "gateway/mail/dkim_canonical.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

namespace {

std::string picked(std::string_view message, const std::vector<std::string_view>& names, bool relaxed) {
  SignedFields fields(message);
  std::string out;
  for (const auto* field : fields.pick(names)) canonical_field(message, *field, relaxed, out);
  return out;
}

std::string simple(std::string_view body) {
  std::string out;
  simple_body(body, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace

TEST_CASE("fields are picked from the bottom, each once, and absent ones are nothing") {
  std::string_view message = "Received: 1\r\nFROM:  a\r\n b\r\nReceived: 2\r\nTo : c\r\n\r\nFrom: body\r\n";
  CHECK(picked(message, {"received", "received", "received"}, true) == "received:2\r\nreceived:1\r\n");
  CHECK(picked(message, {"from", "from", "none"}, true) == "from:a b\r\n");
  CHECK(picked(message, {"to", "from"}, false) == "To : c\r\nFROM:  a\r\n b\r\n");
  CHECK(picked(message, {"to"}, true) == "to:c\r\n");
  CHECK(picked("From: a", {"from"}, false) == "From: a\r\n");
  CHECK(picked("From: a", {"from"}, true) == "from:a\r\n");
}

TEST_CASE("a second look picks the same again") {
  SignedFields fields("A: 1\r\nA: 2\r\n\r\n");
  CHECK(fields.pick({"a"}).size() == 1);
  CHECK(fields.pick({"a", "a"}).size() == 2);
  CHECK(fields.pick({"a"}).at(0)->raw == " 2");
}

TEST_CASE("of too large a header only the first fields are kept, and the body is found all the same") {
  std::string message;
  for (int i = 0; i < 50; ++i) message += "X: " + std::to_string(i) + "\r\n";
  message += "\r\nbody\r\n";
  SignedFields fields(message, 10);
  CHECK(fields.truncated());
  CHECK(fields.pick({"x"}).at(0)->raw == " 9");
  CHECK(fields.body() == "body\r\n");
  CHECK(fields.header_size() + 8 == message.size());
  CHECK_FALSE(SignedFields(message, 50).truncated());
}

TEST_CASE("only the value of b= goes out of a signature") {
  struct Case { std::string_view raw, want; };
  const Case cases[] = {
      {" a=x; b=QUJD; bh=ZZ", " a=x; b=; bh=ZZ"},
      {" a=x; b=QU\r\n\tJD==", " a=x; b="},
      {" b = Q ; c=d", " b =; c=d"},
      {"b=1;b=2", "b=;b="},
      {" bb=1; ab=2; x=b=3", " bb=1; ab=2; x=b=3"},
      {"", ""},
      {";;", ";;"},
      {"b", "b"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.raw);
    CHECK(without_b(c.raw) == c.want);
  }
}

TEST_CASE("a signature's own field is hashed without b= and without its line end") {
  std::string_view message = "X: y\r\nARC-Seal:  i=1;\r\n  b=AA\r\n BB;  cv=none\r\n\r\n";
  HeaderBlock header(message);
  std::string relaxed, as_it_is;
  canonical_signature(message, header.fields().at(1), true, relaxed);
  canonical_signature(message, header.fields().at(1), false, as_it_is);
  CHECK(relaxed == "arc-seal:i=1; b=; cv=none");
  CHECK(as_it_is == "ARC-Seal:  i=1;\r\n  b=;  cv=none");
}

TEST_CASE("the simple body keeps all but empty lines at its end") {
  CHECK(simple("") == "\r\n");
  CHECK(simple("\r\n\r\n") == "\r\n");
  CHECK(simple("a  b \r\n\r\n c\r\n\r\n\r\n") == "a  b \r\n\r\n c\r\n");
  CHECK(simple("no end") == "no end\r\n");
  CHECK(simple("a\n\n") == "a\n\n\r\n");
}
