// The message of SASL PLAIN.
#include "gateway/directory/sasl_plain.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using directory::parse_plain;

TEST_CASE("a PLAIN message has three fields, of which the first may be empty") {
  auto plain = parse_plain(base64(std::string("\0ann\0secret", 11)));
  REQUIRE(plain);
  CHECK(plain->authorization.empty());
  CHECK(plain->login == "ann");
  CHECK(plain->password == "secret");
  CHECK(plain->acts_for_itself());
  CHECK(parse_plain(base64(std::string("Ann\0ann\0x", 9)))->acts_for_itself());
  CHECK_FALSE(parse_plain(base64(std::string("bob\0ann\0x", 9)))->acts_for_itself());
  for (const auto& bad : {std::string("="), std::string(), std::string("!"), base64("ann"), base64(std::string("ann\0x", 5)),
                          base64(std::string("a\0b\0c\0d", 7)), base64(std::string("\0\0x", 3)), base64(std::string("ann\0ann\0", 8)),
                          base64(std::string("\0a\0b", 4)).substr(0, 5)}) {
    INFO(bad);
    CHECK_FALSE(parse_plain(bad));
  }
}
