// The numbers of a rule file: found, replaced, shown as a diff, and everything else left as it was.
#include "filters/fit_points.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

constexpr std::string_view kFile = R"(-- points = 9 in a comment
--[[ rule "no" { points = 1 } ]]
local text = "rule \"no\" { points = 2 }"
local long = [==[ rule "no" { points = 3 } ]] ]==]

rule "false-link" {
  on    = "message",
  about = "A link that lies; points = 7",
  points = 2,          -- as seen in 2026
  check = function(mail)
    local points = 5
    local list = { points = 6 }
    for _ = 1, 2 do if mail then points = 8 end end
    repeat local x = function() return { points = 4 } end until x
    return score("why")
  end,
}

rule("missing-headers") {
  points = { From = 2, ["Message-ID"] = .5; Subject = -0.25, },
  check = function(mail) while true do break end return score("From", "why") end,
}

rule "computed" { points = limits.junk / 2, check = f }
rule "nested" { more = { points = 11 }, points = 1e0, check = f }
rule ("last") ({ check = f, points = 0x10 })
test "a test" { want = { points = 12 } }
)";

std::string replaced(std::string_view text, const std::map<std::string, double>& points) {
  auto out = with_points(text, points);
  INFO((out ? "" : out.error().text));
  REQUIRE(out);
  return *out;
}

}  // namespace

TEST_CASE("the points of a file are found where rules give them, and nowhere else") {
  auto places = points_places(kFile);
  std::string seen;
  for (const auto& place : places) {
    seen += place.name() + "=" + points_text(place.points) + (place.plain ? "" : "?") + ":" + std::to_string(place.line) + " ";
  }
  CHECK(seen == "false-link=2:9 missing-headers/From=2:20 missing-headers/Message-ID=0.5:20 missing-headers/Subject=-0.25:20 "
                "computed=0?:24 nested=1:25 last=16:26 ");
  for (const auto& place : places) {
    if (place.plain) CHECK(std::string_view("-.0123456789").find(kFile[place.offset]) != std::string_view::npos);
  }
}

TEST_CASE("only digits change") {
  auto text = replaced(kFile, {{"false-link", 2.5}, {"missing-headers/Message-ID", 1}, {"missing-headers/Subject", 0.1}, {"stranger", 4}});
  CHECK(text.find("  points = 2.5,          -- as seen in 2026\n") != std::string::npos);
  CHECK(text.find("points = { From = 2, [\"Message-ID\"] = 1; Subject = 0.1, },") != std::string::npos);
  CHECK(replaced(text, {{"false-link", 2}, {"missing-headers/Subject", -0.25}}).find("points = 2,          --") != std::string::npos);
  CHECK(replaced(kFile, {}) == kFile);
  CHECK(replaced(kFile, {{"false-link", 2.0}, {"missing-headers/Message-ID", 0.5}}) == kFile);
}

TEST_CASE("an expression is not overwritten, and its place is said") {
  auto out = with_points(kFile, {{"computed", 3}});
  REQUIRE_FALSE(out);
  CHECK(out.error().text.find("line 24") != std::string::npos);
  CHECK(out.error().text.find("computed") != std::string::npos);
}

TEST_CASE("a rule for ham that is worth nothing keeps its minus") {
  auto text = replaced("rule \"reply\" { points = -1, check = f }", {{"reply", -0.0}});
  CHECK(text == "rule \"reply\" { points = -0, check = f }");
  auto places = points_places(text);
  REQUIRE(places.size() == 1);
  CHECK_FALSE(places[0].spam);
  CHECK(points_places(kFile)[0].spam);
}

TEST_CASE("points are written short") {
  CHECK(points_text(2) == "2");
  CHECK(points_text(2.5) == "2.5");
  CHECK(points_text(-0.3) == "-0.3");
  CHECK(points_text(0.30000000000000004) == "0.3");
  CHECK(points_text(-0.0001) == "-0");
  CHECK(points_text(10) == "10");
}

TEST_CASE("the diff is one that patch takes") {
  std::string before;
  for (int i = 1; i <= 30; ++i) before += "line " + std::to_string(i) + "\n";
  auto after = before;
  auto change = [&after](std::string_view from, std::string_view to) { after.replace(after.find(from), from.size(), to); };
  CHECK(points_diff("rules/x.lua", before, after).empty());
  change("line 5\n", "LINE 5\n");
  change("line 8\n", "LINE 8\n");
  change("line 30\n", "LINE 30\n");
  CHECK(points_diff("rules/x.lua", before, after) ==
        "--- a/rules/x.lua\n+++ b/rules/x.lua\n@@ -2,10 +2,10 @@\n line 2\n line 3\n line 4\n-line 5\n+LINE 5\n line 6\n line 7\n-line 8\n+LINE 8\n"
        " line 9\n line 10\n line 11\n@@ -27,4 +27,4 @@\n line 27\n line 28\n line 29\n-line 30\n+LINE 30\n");
}

TEST_CASE("texts that end early or never close are read to their end") {
  for (std::string_view text : {"rule", "rule \"x", "rule \"x\" {", "rule \"x\" { points", "rule \"x\" { points =", "rule \"x\" { points = -",
                                "rule \"x\" { points = {", "rule \"x\" { points = { [", "rule \"x\" { points = { [\"a", "rule \"x\" { check = function(",
                                "--[==[", "[[", "'\\", "rule \"x\" { points = (((", "rule[[x]]{points=1"}) {
    INFO(text);
    for (const auto& place : points_places(text)) CHECK(place.offset + place.length <= text.size());
    CHECK(replaced(text, {}) == text);
  }
}

TEST_CASE("a file is read in bounds") {
  std::string many;
  for (std::size_t i = 0; i < kMaxPointsPlaces + 10; ++i) many += "rule \"r\" { points = 1 }\n";
  CHECK(points_places(many).size() == kMaxPointsPlaces);
  std::string one = "rule \"r\" { points = { ";
  for (std::size_t i = 0; i < kMaxPointsPlaces + 10; ++i) one += "a = 1, ";
  CHECK(points_places(one).size() == kMaxPointsPlaces);
  CHECK(points_places(std::string(kMaxRuleFile + 1, ' ') + "rule \"r\" { points = 1 }").empty());
  CHECK(points_places(std::string(kMaxRuleFile / 2, '{')).empty());
}
