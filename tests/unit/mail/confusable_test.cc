// Names that look alike have one skeleton.
#include "gateway/mail/confusable.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("what looks the same has the same skeleton") {
  struct Case { const char* one; const char* other; };
  const Case cases[] = {
      {"paypal", "p\u0430ypal"}, {"paypal", "paypa1"}, {"google", "g00gle"}, {"mail", "rnail"}, {"microsoft", "rnicrosoft"}, {"apple", "\u0430\u0440\u0440l\u0435"},
      {"bank", "\U0001d41b\U0001d41a\U0001d427\U0001d424"}, {"corp", "c\u03bfrp"}, {"corp", "co\u200brp"}, {"", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.one, c.other);
    CHECK(skeleton(c.one) == skeleton(c.other));
  }
}

TEST_CASE("what looks different has different skeletons") {
  struct Case { const char* one; const char* other; };
  const Case cases[] = {{"paypal", "paypol"}, {"corp", "crop"}, {"bank", "banks"}, {"anna", "hanna"}, {"a", ""}};
  for (const Case& c : cases) {
    CAPTURE(c.one, c.other);
    CHECK(skeleton(c.one) != skeleton(c.other));
  }
}

TEST_CASE("any octets have a skeleton, of long texts that of the beginning") {
  CHECK(skeleton("\xff\xfe") == skeleton("\ufffd\ufffd"));
  CHECK(skeleton(std::string(kMaxConfusable, 'x') + "tail") == skeleton(std::string(kMaxConfusable, 'x')));
  std::string text(kMaxConfusable - 1, 'x');
  CHECK(skeleton(text + "\xc3\xa9") == skeleton(text));
  std::string ligatures, marks;
  while (ligatures.size() < kMaxConfusable) ligatures += "\xef\xb7\xba";
  while (marks.size() < (4U << 20)) marks += "\xcc\x81\xcc\xa3";
  CHECK(skeleton(ligatures).size() > ligatures.size());
  CHECK(testing::thread_time([&] { skeleton(marks); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(20)));
}
