// Counters, lists, patterns: what rules remember, look up and match.
#include <fstream>

#include "filters/counters.h"
#include "filters/lists.h"
#include "filters/lua/patterns.h"
#include "filters/regex.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using namespace std::chrono_literals;

TEST_CASE("a counter forgets what is older than its window") {
  FixedClock clock(from_unix(1'000'000'000));
  Counters counters(clock);
  for (int i = 0; i < 5; ++i) counters.add("key", 10min);
  CHECK(counters.count("key", 10min) == 5);
  CHECK(counters.count("key", 20min) == 0);
  CHECK(counters.count("other", 10min) == 0);
  clock.set(clock.now() + 5min);
  counters.add("key", 10min);
  CHECK(counters.count("key", 10min) == 6);
  clock.set(clock.now() + 6min);
  CHECK(counters.count("key", 10min) == 1);
  clock.set(clock.now() + 1h);
  CHECK(counters.count("key", 10min) == 0);
}

TEST_CASE("a remembered value ends with its time") {
  FixedClock clock(from_unix(1'000'000'000));
  Counters counters(clock);
  counters.remember("key", 1h, "value");
  CHECK(counters.recall("key") == "value");
  clock.set(clock.now() + 1h);
  CHECK_FALSE(counters.recall("key").has_value());
}

TEST_CASE("what rules remember survives a restart through rows") {
  FixedClock clock(from_unix(1'000'000'000));
  Counters before(clock);
  before.add("key", 10min, 7);
  before.remember("name", 1h, "a value with spaces");
  before.remember("short", 1s, "x");
  auto rows = before.changed();
  CHECK(rows.size() == 3);
  CHECK(before.changed().empty());
  Counters after(clock);
  rows.push_back({"c600:bad", "rubbish"});
  rows.push_back({"v:worse", ""});
  after.load(rows);
  CHECK(after.count("key", 10min) == 7);
  CHECK(after.recall("name") == "a value with spaces");
  CHECK(after.size() == 3);
  clock.set(clock.now() + 2s);
  after.add("key", 10min);
  auto changed = after.changed();
  REQUIRE_FALSE(changed.empty());
  CHECK(after.count("key", 10min) == 8);
}

TEST_CASE("counters are bounded: what was used longest ago goes first, and its row is erased") {
  FixedClock clock(from_unix(1'000'000'000));
  Counters counters(clock, 3);
  for (const char* key : {"a", "b", "c"}) counters.remember(key, 1h, key);
  counters.changed();
  counters.remember("a", 1h, "again");
  counters.remember("d", 1h, "d");
  CHECK(counters.size() == 3);
  CHECK(counters.recall("a") == "again");
  CHECK_FALSE(counters.recall("b").has_value());
  bool erased = false;
  for (const auto& row : counters.changed()) erased = erased || (row.key == "v:b" && row.value.empty());
  CHECK(erased);
}

TEST_CASE("a list knows addresses, domains, subdomains and networks") {
  auto list = List::parse(R"(# partners
partner.example      # the domain only
.group.example
anna@Single.example
192.0.2.0/24
2001:db8::/32
word
)", "lists/x.txt");
  REQUIRE(list);
  struct {
    const char* value;
    bool found;
  } cases[] = {{"partner.example", true}, {"PARTNER.example.", true}, {"x@partner.example", true}, {"mail.partner.example", false},
               {"x@mail.partner.example", false}, {"group.example", true}, {"a.b.group.example", true}, {"x@a.group.example", true},
               {"xgroup.example", false}, {"Anna@single.example", true}, {"ben@single.example", false}, {"single.example", false},
               {"192.0.2.77", true}, {"192.0.3.1", false}, {"2001:db8:1::1", true}, {"2001:db9::1", false}, {"word", true}, {"", false}, {"@", false}};
  for (const auto& one : cases) {
    INFO(one.value);
    CHECK((*list)->contains(one.value) == one.found);
  }
  CHECK((*list)->size() == 6);
}

TEST_CASE("a mistake in a list is told with its line") {
  auto error_of = [](const char* text) { return List::parse(text, "lists/x.txt").error().text; };
  CHECK(error_of("a.example\n192.0.2.0/33\n") == "lists/x.txt:2: \"192.0.2.0/33\" is no network");
  CHECK(error_of("a b\n") == "lists/x.txt:1: one entry a line; \"a b\" has white space in it");
  CHECK(error_of("\xff\n") == "lists/x.txt:1: the line is no UTF-8 text");
}

TEST_CASE("a list file is read again when it changes, and keeps its last good entries") {
  namespace fs = std::filesystem;
  fs::path folder = fs::temp_directory_path() / ("postern-lists-" + std::to_string(::getpid()));
  fs::create_directories(folder / "lists");
  auto write = [&folder](const char* text) { std::ofstream(folder / "lists/x.txt") << text; };
  write("a.example\n");
  ListFolder lists(folder);
  REQUIRE(lists.open("lists/x.txt"));
  CHECK(lists.get("lists/x.txt")->contains("a.example"));
  CHECK(lists.refresh().empty());
  write("a.example\nbb.example\n");
  auto changes = lists.refresh();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].problem.empty());
  CHECK(lists.get("lists/x.txt")->contains("bb.example"));
  write("two words here\n");
  changes = lists.refresh();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].problem.find("lists/x.txt:1") == 0);
  CHECK(lists.get("lists/x.txt")->contains("bb.example"));
  CHECK(lists.refresh().empty());
  fs::remove(folder / "lists/x.txt");
  CHECK(lists.refresh().size() == 1);
  CHECK(lists.get("lists/x.txt")->contains("bb.example"));
  fs::remove_all(folder);
}

TEST_CASE("string patterns follow the reference manual") {
  struct {
    const char* expression;
    const char* expected;
  } cases[] = {
      {"('hello world'):find('wor')", "7 9"}, {"('hello'):find('l+')", "3 4"}, {"('hello'):find('')", "1 0"}, {"('hello'):find('', 10)", "nil"},
      {"('a.b'):find('.', 1, true)", "2 2"}, {"('hello'):find('l', -2)", "4 4"}, {"('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key value"},
      {"('hello'):match('()ll()')", "3 5"}, {"('  x '):match('^%s*(.-)%s*$')", "x"}, {"('THE (quick) fox'):find('%((%a+)%)')", "5 11 quick"},
      {"('f(a(b)c)d'):match('%b()')", "(a(b)c)"}, {"('THE (quick) fox'):gsub('%f[%a]%a+', 'W')", "W (W) W 3"},
      {"('abc'):gsub('%w', '%0%0')", "aabbcc 3"}, {"('hello world'):gsub('o', '0', 1)", "hell0 world 1"}, {"('hello'):gsub('', '-')", "-h-e-l-l-o- 6"},
      {"('abc'):gsub('%w*', 'x')", "x 1"}, {"('a b'):gsub('(%w) (%w)', '%2 %1')", "b a 1"}, {"('$name is $age'):gsub('%$(%w+)', { name = 'Lua', age = 30 })", "Lua is 30 2"},
      {"('abc'):gsub('%w', function(c) if c == 'b' then return 'X' end end)", "aXc 3"}, {"('hello'):gsub('^h', 'J')", "Jello 1"},
      {"('x'):rep(3, ',')", "x,x,x"}, {"('ab'):rep(0)", ""}, {"('[]]'):match('[]]')", "]"}, {"('a-z'):match('[a%-]+')", "a-"}, {"('5'):match('[^%a]')", "5"},
      {"('\"x\" y'):match('([\"\\'])(.-)%1')", "\" x"}, {"('abc'):match('.-b')", "ab"}, {"('aXb'):match('%u')", "X"}, {"('x='):match('(%w+)=(%w*)')", "x "},
  };
  for (const auto& one : cases) {
    INFO(one.expression);
    RuleBench bench(std::string("rule \"r\" { on = \"message\", check = function()\n local t = table.pack(") + one.expression +
                    ")\n for i = 1, t.n do t[i] = tostring(t[i]) end return score(1, 'x' .. table.concat(t, ' ') .. 'x') end }");
    auto verdict = bench.all();
    REQUIRE(verdict.hits.size() == 1);
    CHECK(verdict.hits[0].why == std::string("x") + one.expected + "x");
  }
}

TEST_CASE("gmatch finds every match once") {
  RuleBench bench(R"lua(rule "r" { on = "message", check = function()
  local out = {}
  for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do out[#out + 1] = k .. v end
  for w in ("one two"):gmatch("%a+") do out[#out + 1] = w end
  for w in ("ab"):gmatch("x*") do out[#out + 1] = "." end
  return score(1, table.concat(out, " "))
end })lua");
  CHECK(bench.all().hits.at(0).why == "a1 b2 one two . . .");
}

TEST_CASE("a malformed pattern is an error that says what is wrong") {
  auto error_of = [](const char* pattern) {
    lua::Pattern matcher("aaa(", pattern, [](void*, std::size_t) { return true; }, nullptr);
    try {
      matcher.find(0, false);
    } catch (const lua::PatternError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(error_of("a%") == "the pattern ends with '%'");
  CHECK(error_of("[a") == "a set has no ']' in the pattern");
  CHECK(error_of("[a%") == "a set has no ']' in the pattern");
  CHECK(error_of("(a") == "a capture is not closed in the pattern");
  CHECK(error_of("a)") == "a ')' has no '(' in the pattern");
  CHECK(error_of("%b(") == "%b wants two characters in the pattern");
  CHECK(error_of("%fa") == "%f wants a set behind it in the pattern");
  CHECK(error_of("%1") == "%1 names no capture in the pattern");
}
