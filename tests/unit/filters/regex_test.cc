// Patterns of rules: what matches, and what it may take.
#include "filters/regex.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::shared_ptr<const Regex> pattern(std::string_view text, std::string_view flags = "") {
  auto made = Regex::compile(text, flags);
  REQUIRE(made.has_value());
  return *made;
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

// "begin-end" of the first match.
std::string place(std::string_view what, std::string_view flags, const std::string& text, std::size_t from = 0) {
  RegexMatch match;
  auto outcome = pattern(what, flags)->search(text, from, &match);
  if (outcome == Regex::Outcome::limit) return "limit";
  if (outcome == Regex::Outcome::no_match) return "none";
  return std::to_string(match.groups[0].begin) + "-" + std::to_string(match.groups[0].end);
}

}  // namespace

TEST_CASE("a search sees the whole text, wherever it has come to") {
  const std::string text = repeated("x", 5000) + "\nneedle \xc3\xa9\xc3\xa9 end";
  CHECK(place("needle", "", text) == "5001-5007");
  CHECK(place("needle", "", text, 5001) == "5001-5007");
  CHECK(place("needle", "", text, 5002) == "none");
  CHECK(place("^needle", "", text) == "none");
  CHECK(place("^needle", "m", text) == "5001-5007");
  CHECK(place("(?<=x{20}\\n)needle", "", text) == "5001-5007");
  CHECK(place("(?<!x)needle", "", text) == "5001-5007");
  CHECK(place("\\bneedle", "", text) == "5001-5007");
  CHECK(place("x*\\nneedle", "", text) == "0-5007");
  CHECK(place(".*needle", "", text) == "5001-5007");
  CHECK(place(".*needle", "s", text) == "0-5007");
  CHECK(place("\\Ax", "", text, 1) == "none");
  CHECK(place("end$", "", text) == "5013-5016");
  CHECK(place("$", "", text) == "5016-5016");
  CHECK(place("\xc3\xa9 end", "", text) == "5010-5016");
  CHECK(place("y", "", "") == "none");
  CHECK(place("", "", "") == "0-0");
}

TEST_CASE("no window begins inside of a character") {
  const std::string text = repeated("\xe2\x82\xac", 3000);
  CHECK(place("[^\xe2\x82\xac]", "", text) == "none");
  CHECK(place("\xe2\x82\xac$", "", text) == "8997-9000");
  CHECK(place("x", "", repeated("\x80", 3000) + "x") == "3000-3001");
}

TEST_CASE("a pattern that backtracks a little at each place is stopped") {
  struct Case { const char* what; std::string text; };
  const Case cases[] = {
      {"(?:\\w+\\.)+\\w+@", repeated(repeated("a.", 16 * 1024) + "\n", 16)},
      {"\\s+$x", repeated(" ", 512 * 1024) + "y"},
      {"(a+)+[@#]", repeated(repeated("a", 20) + " ", 20'000)},
      {"x.*y.*[z!]", repeated("xy", 64 * 1024)},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    auto regex = pattern(c.what);
    auto outcome = Regex::Outcome::match;
    auto took = testing::thread_time([&] { outcome = regex->search(c.text, 0, nullptr); });
    CHECK(outcome == Regex::Outcome::limit);
    // Seconds without a limit; the allowance is 10 ms and the rest is what one window may take.
    CHECK(took < std::chrono::milliseconds(500));
  }
}

TEST_CASE("what speaks of the whole search is refused") {
  for (const char* what : {"\\Gx", "x|\\\\\\Gy", "x(*COMMIT)y", "x(*SKIP)y"}) {
    CAPTURE(what);
    CHECK_FALSE(Regex::compile(what, "").has_value());
  }
  CHECK(Regex::compile("\\\\Gx", "").has_value());
}
