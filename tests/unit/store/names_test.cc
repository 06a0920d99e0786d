// What a mailbox may be called.
#include "gateway/store/names.h"

#include "tests/support/catch.h"

using namespace postern::store;

TEST_CASE("names that would hurt are refused with a reason") {
  CHECK(mailbox_name("a/b \u00fc"));
  for (std::string name : {"", "/", "a//b", "/a", "a/", "a*", "a%", "a\nb", "a\x7f", ".", "..", "a/../b", "\xff"}) {
    INFO(name);
    CHECK_FALSE(mailbox_name(name));
  }
  CHECK_FALSE(mailbox_name(std::string(kMaxMailboxName + 1, 'a')));
  std::string deep = "a";
  for (std::size_t i = 0; i < kMaxMailboxDepth; ++i) deep += "/a";
  CHECK_FALSE(mailbox_name(deep));
}
