// Who can be taken for us, and who cannot.
#include "filters/lookalike.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

const LookalikeIndex& index() {
  static const LookalikeIndex kIndex(OwnNames{
      {"corporation.example", "mail.acmeinc.test", "cloud.example", "abc.example"},
      {"corporations.example"},
      {{"Nguyễn Văn An", {"an@corporation.example", "an.nguyen@home.test"}}, {"Paul Miller", {"paul@corporation.example"}}, {"Li Wu", {"li@corporation.example"}}, {"Root", {}}}});
  return kIndex;
}

std::string kind_of(std::string_view domain) {
  auto found = index().domain(domain);
  return found ? std::string(name(found->kind)) : "";
}

std::vector<std::string> kinds(const AskedSender& asked) {
  std::vector<std::string> out;
  for (const auto& one : index().sender(asked)) out.emplace_back(name(one.kind));
  return out;
}

}  // namespace

TEST_CASE("domains that can be taken for ours are found, and how") {
  struct Case { const char* domain; const char* kind; };
  const Case cases[] = {
      {"c0rporation.example", "same_look"},
      {"mail.corp\u043eration.example", "same_look"},
      {"xn--corpration-u9i.example", ""},                    // decodes to something else
      {"acrneinc.test", "same_look"},
      {"acmelnc.test", "spelling"},                          // l and i differ when both are small
      {"corproation.example", "spelling"},                   // swapped
      {"corporatoin.example", "spelling"},
      {"corqorafion.example", "spelling"},                   // two letters
      {"corporaton.example", "spelling"},
      {"corporation1.test", "spelling"},
      {"corpor-ation.example", "spelling"},
      {"acmein.test", "spelling"},
      {"corporation.test", "other_suffix"},
      {"mail.corporation.test", "other_suffix"},
      {"corporation-support.test", "added_words"},
      {"my-corporation-portal.test", "added_words"},
      {"corporationlogin.test", "added_words"},
      {"mycorporation.test", "added_words"},
      {"corporation.example.evil.test", "own_inside"},
      {"corporation-example.test", "own_inside"},
      {"login.corporation-example.evil.test", "own_inside"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.domain);
    CHECK(kind_of(c.domain) == c.kind);
  }
}

TEST_CASE("our own, known and unlike domains resemble nobody") {
  for (const char* domain : {"corporation.example", "CORPORATION.example.", "mail.corporation.example", "acmeinc.test", "sub.mail.acmeinc.test", "cloud.example",
                             "corporations.example",              // a known sister
                             "gmail.com", "incorporation.test",   // other words
                             "cooperative.test", "corp.test", "aclaim.test", "bcmeinc.test", "cloud.test", "cloudy.test", "my-cloud.test", "abd.example", "abc.test",
                             "myabc.test", "microsoft.com", "", "..", "[192.0.2.1]", "\xff\xfe", "example", "test"}) {
    CAPTURE(domain);
    CHECK(kind_of(domain).empty());
  }
  CHECK(index().is_ours("Sub.Corporation.Example"));
  CHECK_FALSE(index().is_ours("example"));
  CHECK_FALSE(index().is_ours("corporation.example.evil.test"));
  CHECK_FALSE(index().is_ours(""));
}

TEST_CASE("the reason names who resembles whom") {
  auto found = index().domain("corproation.example");
  REQUIRE(found);
  CHECK(found->what == "corproation.example");
  CHECK(found->whom == "corporation.example");
  CHECK(found->distance == 1);
  CHECK(found->reason == "the domain corproation.example differs in one letter from our corporation.example");
  CHECK(index().domain("corqorafion.example")->distance == 2);
  CHECK(index().domain("corp\u043eration.example")->what.starts_with("xn--"));
}

TEST_CASE("names of our people over foreign addresses are found") {
  using Kinds = std::vector<std::string>;
  CHECK(kinds({"Nguyễn Văn An", "boss4711@gmail.com", "", false}) == Kinds{"staff_name"});
  CHECK(kinds({"AN NGUYEN VAN", "boss4711@gmail.com", "", false}) == Kinds{"staff_name"});
  CHECK(kinds({"Nguyen, Van An", "boss4711@gmail.com", "", false}) == Kinds{"staff_name"});
  CHECK(kinds({"PauI MiIler", "x@foreign.test", "", false}) == Kinds{"staff_name"});         // capital I for l
  CHECK(kinds({"P\u0430ul Miller", "x@foreign.test", "", false}) == Kinds{"staff_name"});
  CHECK(kinds({"Paul Miller", "paul@c0rporation.example", "", false}) == Kinds{"same_look", "staff_name"});
  CHECK(kinds({"\"paul@corporation.example\"", "x@foreign.test", "", false}) == Kinds{"own_address_in_name"});
  CHECK(kinds({"Corporation IT Support", "x@foreign.test", "", false}) == Kinds{"own_name_in_name"});
  CHECK(kinds({"C0rporation Payroll", "x@foreign.test", "", false}) == Kinds{"own_name_in_name"});
  auto found = index().sender({"Paul Miller", "x@foreign.test", "", false});
  REQUIRE(found.size() == 1);
  CHECK(found[0].reason == "the name of our Paul Miller stands over the foreign address x@foreign.test");
}

TEST_CASE("our people, their private addresses and other people are nobody's look-alikes") {
  for (const AskedSender& asked : {AskedSender{"Nguyễn Văn An", "an@corporation.example", "", false}, AskedSender{"Nguyễn Văn An", "An.Nguyen@home.test", "", false},
                                   AskedSender{"Paul Miller", "sales@mail.corporation.example", "", false}, AskedSender{"Paula Miller", "x@foreign.test", "", false},
                                   AskedSender{"Paul", "x@foreign.test", "", false}, AskedSender{"Li Wu", "x@foreign.test", "", false}, AskedSender{"Root", "x@foreign.test", "", false},
                                   AskedSender{"Cloud Services", "x@foreign.test", "", false}, AskedSender{"", "", "", false}, AskedSender{"\xff\xfe", "\xff", "\xff", false},
                                   // Proved to be ours: nothing is said whatever it holds.
                                   AskedSender{"Paul Miller", "x@foreign.test", "y@other.test", true}, AskedSender{"Paul Miller", "paul@c0rporation.example", "", true}}) {
    CAPTURE(asked.name, asked.address);
    CHECK(index().sender(asked).empty());
  }
}

TEST_CASE("answers that go elsewhere count only when the message pretends to be ours") {
  using Kinds = std::vector<std::string>;
  CHECK(kinds({"Paul Miller", "paul@corporation.example", "paul@foreign.test", false}) == Kinds{"reply_elsewhere"});
  CHECK(kinds({"Paul Miller", "x@foreign.test", "y@other.test", false}) == Kinds{"staff_name", "reply_elsewhere"});
  CHECK(kinds({"Somebody Else", "x@foreign.test", "y@other.test", false}).empty());
  CHECK(kinds({"Paul Miller", "x@foreign.test", "y@sub.foreign.test", false}) == Kinds{"staff_name"});
  CHECK(kinds({"Somebody Else", "x@foreign.test", "y@c0rporation.example", false}) == Kinds{"same_look"});
  CHECK(kinds({"Paul Miller", "paul@corporation.example", "an@corporation.example", false}).empty());
}

TEST_CASE("a look-up does not grow with the number of our domains and people") {
  OwnNames many;
  for (int i = 0; i < 3000; ++i) many.domains.push_back("customer" + std::to_string(i * 7919) + ".test");
  for (int i = 0; i < 20'000; ++i) many.staff.push_back({"Name" + std::to_string(i) + " Same Family", {}});
  for (int i = 0; i < 1000; ++i) many.staff.push_back({"One And Same", {"s" + std::to_string(i) + "@customer0.test"}});
  LookalikeIndex large(many);
  CHECK(large.domain("custumer7919.test").has_value());
  AskedSender asked{"One And Same", "x@custumerr7919.test", "y@z.test", false};
  CHECK(testing::thread_time([&] { for (int i = 0; i < 20; ++i) large.sender(asked); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(200)));
  std::string longest(63, 'a');
  AskedSender hostile{std::string(4 << 20, '@'), std::string(1 << 20, 'a') + "@" + longest + "." + longest + "." + longest + ".test", std::string(1 << 20, '.'), false};
  CHECK(testing::thread_time([&] { large.sender(hostile); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(200)));
}
