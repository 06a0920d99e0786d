// Base 32: RFC 4648 10 has the vectors.
#include "gateway/base/base32.h"

#include <set>

#include "tests/support/catch.h"

using namespace postern;

TEST_CASE("base 32 gives the letters of RFC 4648 in lower case and without padding, and reads them in any case") {
  for (auto [octets, text] : {std::pair("", ""), std::pair("f", "my"), std::pair("fo", "mzxq"), std::pair("foo", "mzxw6"),
                              std::pair("foob", "mzxw6yq"), std::pair("fooba", "mzxw6ytb"), std::pair("foobar", "mzxw6ytboi")}) {
    CHECK(base32(octets) == text);
    CHECK(from_base32(text) == std::string(octets));
  }
  CHECK(from_base32("MZXW6YTBOI") == "foobar");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(from_base32(base32(all)) == all);
}

TEST_CASE("base 32 has one text for each value") {
  for (auto text : {"m", "mzx", "mzxw6y", "mz", "mzxr", "my======", "m1", "m0", "my ", "m-", "\xc3\xa4y"}) {
    INFO(text);
    CHECK_FALSE(from_base32(text));
  }
}
