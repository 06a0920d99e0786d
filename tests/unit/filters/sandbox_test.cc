// What a rule cannot reach, and the texts of its errors.
#include <algorithm>

#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::vector<std::string> mistakes_of(const std::string& text) {
  auto report = load_rules(generation_of({{"rules/50-test.lua", text}}), true);
  std::vector<std::string> out;
  for (const auto& mistake : report.mistakes) out.push_back(mistake.text());
  for (const auto& failed : report.failed_tests) out.push_back(failed.mistake.at + ": " + failed.mistake.what);
  return out;
}

std::string error_of(const std::string& body) {
  RuleBench bench("local makers = { redirect }\n\nrule \"r\" { on = \"message\", check = function(mail)\n" + body + "\nend }");
  auto verdict = bench.all();
  return verdict.hits.empty() ? "" : verdict.hits[0].at + ": " + verdict.hits[0].why;
}

}  // namespace

TEST_CASE("mistakes in rule files are told with file, line and the nearest name") {
  struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"rule \"a\" { on = \"conect\", check = function() end }",
       "rules/50-test.lua:1: rule \"a\": unknown stage \"conect\" (connect?); stages are connect, mail, rcpt, message, verdict and deliver"},
      {"rule \"a\" { on = \"mail\", chek = function() end }", "rules/50-test.lua:1: rule \"a\": check = function(...) ... end is missing"},
      {"rule \"a\" { on = \"mail\", check = function(mail)\n  return scroe(3, \"x\")\nend }", "rules/50-test.lua:2: unknown name \"scroe\" (score?)"},
      {"rule \"a\" { on = \"message\", check = function(mail)\n  if mail.subjct == \"x\" then return reject \"y\" end\nend }",
       "rules/50-test.lua:2: unknown field \"subjct\" of mail (subject?)"},
      {"rule \"a\" { on = \"message\", check = function(m)\n  return m.spf.reslt == \"x\" and reject \"y\" or nil\nend }",
       "rules/50-test.lua:2: unknown field \"reslt\" of mail.spf (result?)"},
      {"rule \"a\" { on = \"rcpt\", check = function(mail, rcpt)\n  local f = function() return rcpt.adress end\n  return f() and reject \"y\" or nil\nend }",
       "rules/50-test.lua:2: unknown field \"adress\" of rcpt (address?)"},
      {"rule \"a\" { on = \"message\", check = function(mail)\n  if mail.conn.ipp then return reject \"y\" end\nend }",
       "rules/50-test.lua:2: unknown field \"ipp\" of conn (ip?)"},
      {"rule \"a\" { on = \"message\", check = function(mail)\n  score(3, \"x\")\nend }",
       "rules/50-test.lua:2: the verdict score is made and not returned: write return score(...)"},
      {"rule \"a\" { on = \"connect\", check = function(conn)\n  return quarantine(\"x\")\nend }",
       "rules/50-test.lua:2: quarantine is no verdict of stage connect, which takes accept, defer, reject or score"},
      {"rule \"a\" { on = \"message\", check = function(mail)\n  if mail.spf == \"fail\" then return reject \"y\" end\nend }",
       "rules/50-test.lua:2: mail.spf is a table, so it never equals a text: compare mail.spf.result"},
      {"rule \"a\" { on = \"message\", check = function(mail)\n  if mail.virus then return reject \"y\" end\nend }",
       "rules/50-test.lua:2: mail.virus is always there: compare mail.virus.state with \"found\" or \"error\""},
      {"local seen = 0\nrule \"a\" { on = \"message\", check = function(mail)\n  seen = seen + 1\nend }",
       "rules/50-test.lua:3: \"seen\" belongs to the file and is changed in a function: messages would share it by chance; use count, remember and recall"},
      {"local seen = {}\nrule \"a\" { on = \"message\", check = function(mail)\n  seen[mail.sender] = true\nend }",
       "rules/50-test.lua:3: \"seen\" belongs to the file and is changed in a function: messages would share it by chance; use count, remember and recall"},
      {"counter = 1", "rules/50-test.lua:1: global variable \"counter\" assigned: globals are frozen, write local counter"},
      {"rule \"a\" { on = \"mail\", check = function(mail)\n  found = true\nend }",
       "rules/50-test.lua:2: global variable \"found\" assigned: globals are frozen, write local found"},
      {"local p = re(\"(a\")", "rules/50-test.lua:1: pattern \"(a\" is wrong at character 3: missing closing parenthesis"},
      {"local p = re(\"a\", \"q\")", "rules/50-test.lua:1: unknown flag \"q\" of re(): i, m, s, x and b are known"},
      {"local l = list \"lists/none.txt\"", "rules/50-test.lua:1: list \"lists/none.txt\" cannot be read: No such file or directory"},
      {"local l = list \"../secret\"", "rules/50-test.lua:1: list \"../secret\": \"..\" is not allowed in a name"},
      {"local m = require \"std.nothing\"",
       "rules/50-test.lua:1: require \"std.nothing\": no such file; std.* come with Postern, others lie in the rules folder"},
      {"rule \"a\" { on = \"mail\", check = function() end }\nrule \"a\" { on = \"mail\", check = function() end }",
       "rules/50-test.lua:2: rule \"a\": the name is taken by the rule at rules/50-test.lua:1"},
      {"if then", "rules/50-test.lua:1: unexpected symbol near 'then'"},
      {"while true do end", "rules/50-test.lua:1: CPU budget of 2000 ms spent"},
      {"test \"t\" { given = { ipp = \"1.2.3.4\" }, want = { score = 1 } }", "rules/50-test.lua:1: unknown field \"ipp\" of given (ip?)"},
      {"test \"t\" { want = { verdit = \"ham\" } }", "rules/50-test.lua:1: unknown field \"verdit\" of want (verdict?)"},
      {"test \"t\" { want = { score = 1 } }", "rules/50-test.lua:1: wanted score 1, found ham with score 0"},
  };
  for (const auto& one : cases) {
    INFO(one.text);
    auto found = mistakes_of(one.text);
    REQUIRE_FALSE(found.empty());
    INFO("found: " << found[0]);
    CHECK(std::find(found.begin(), found.end(), one.expected) != found.end());
  }
}

TEST_CASE("a test tells how a rule failed before the message") {
  for (const char* stage : {"connect", "mail", "rcpt"}) {
    INFO(stage);
    std::string rule = std::string("rule \"a\" { on = \"") + stage + "\", check = function()\n  local x = nil\n  return x.y\nend }\n";
    CHECK(mistakes_of(rule + "test \"t\" { want = { verdict = \"ham\" } }") ==
          std::vector<std::string>{"rules/50-test.lua:5: rule \"a\" failed at rules/50-test.lua:3: attempt to index a nil value (local 'x')"});
    CHECK(mistakes_of(rule + "test \"t\" { want = { error = \"index a nil value\" } }").empty());
  }
}

TEST_CASE("nothing that reaches outside is there") {
  for (const char* name : {"io", "os", "debug", "load", "loadstring", "dofile", "loadfile", "coroutine", "package", "collectgarbage", "rawset", "rawget", "_G"}) {
    INFO(name);
    auto found = mistakes_of(std::string("local a = ") + name);
    REQUIRE(found.size() == 2);  // once when it runs, once by the checker
    CHECK(found[0].find(name) != std::string::npos);
  }
  CHECK(error_of("return score(1, string.dump and 'there' or 'gone')").find("unknown field \"dump\" of string") != std::string::npos);
  CHECK(error_of("return score(1, math.random and 'there' or 'gone')").find("unknown field \"random\" of math") != std::string::npos);
}

TEST_CASE("nothing of the language can be changed") {
  CHECK(error_of("string.find = nil") == "rules/50-test.lua:4: string cannot be changed");
  CHECK(error_of("getmetatable('').__index = nil").find("rules/50-test.lua:4: ") == 0);
  CHECK(error_of("mail.subject = 'x'") == "rules/50-test.lua:4: mail cannot be changed: facts are read only");
  CHECK(error_of("mail.spf.result = 'pass'") == "rules/50-test.lua:4: mail.spf cannot be changed");
  CHECK(error_of("mail.recipients[1] = 'x'") == "rules/50-test.lua:4: mail.recipients cannot be changed");
  CHECK(error_of("table.insert(mail.recipients, 'x')") == "rules/50-test.lua:4: this table cannot be changed");
  CHECK(error_of("setmetatable({}, { __gc = function() end })") == "rules/50-test.lua:4: __gc is not available in rules");
  CHECK(error_of("setmetatable(mail.spf, {})") == "rules/50-test.lua:4: this table's metatable is protected");
}

TEST_CASE("no closer and no finalizer gets in behind setmetatable") {
  CHECK(mistakes_of("rule \"a\" { on = \"mail\", check = function(mail)\n  local x <close> = nil\nend }") ==
        std::vector<std::string>{"rules/50-test.lua:2: <close> is not available in rules"});
  CHECK(error_of("local mt = {} local t = setmetatable({}, mt)\nmt.__close = function() while true do end end\nfor x in next, {}, nil, t do end")
            .find("non-closable value") != std::string::npos);
  CHECK(error_of("local mt = {} local t = setmetatable({}, mt)\ngetmetatable(t).__close = print\nfor x in next, {}, nil, t do end")
            .find("non-closable value") != std::string::npos);
  CHECK(error_of("local mt = {} local t = setmetatable({}, mt)\nmt.__gc = print\nsetmetatable(t, mt)") ==
        "rules/50-test.lua:6: __gc is not available in rules");
  CHECK(error_of("local mt = {} local t = setmetatable({}, mt)\nmt.__metatable = 1\nsetmetatable(t, mt)\nsetmetatable(t, {})") ==
        "rules/50-test.lua:7: this table's metatable is protected");
}

TEST_CASE("a rule's own classes work as in any Lua") {
  CHECK(error_of("local Class = {} Class.__index = Class\nlocal one = setmetatable({}, Class)\nfunction Class.name() return 'late' end\n"
                 "if getmetatable(one) ~= Class then return reject 'not mine' end\nsetmetatable(one, Class)\nreturn score(1, one.name())") ==
        "rules/50-test.lua:9: late");
}

TEST_CASE("a rule's error names its place and says what happened") {
  CHECK(error_of("local s = nil\nreturn score(1, s.x)") == "rules/50-test.lua:5: attempt to index a nil value (local 's')");
  CHECK(error_of("error('mine')") == "rules/50-test.lua:4: mine");
  CHECK(error_of("error({})").find("rules/50-test.lua:4: the rule raised an error that is a table, not a text") == 0);
  CHECK(error_of("return 1").find("the check returned a number; it returns a verdict, like score(3, \"why\") or reject \"why\", or nothing") != std::string::npos);
  CHECK(error_of("local v = score(1, 'x')\nreturn nil") == "rules/50-test.lua:4: the verdict score was made here and not returned: write return score(...)");
  CHECK(error_of("return makers[1]('a@b.example', 'x')").find("rules/50-test.lua:4: redirect is no verdict of stage message") == 0);
  CHECK(error_of("return score(1)") == "rules/50-test.lua:4: a verdict needs a reason for humans: score(3, \"why\")");
  CHECK(error_of("return quarantine('x', 'vrius')") == "rules/50-test.lua:4: quarantine(\"why\", class): class is \"spam\", \"virus\" or \"policy\", not \"vrius\"");
  CHECK(error_of("count('k', 'soon')") == "rules/50-test.lua:4: \"soon\" is no span of time; write 30s, 10m, 2h or 7d");
  CHECK(error_of("local r = re('x')").find("rules/50-test.lua:4: re(...) belongs to the top of the file") == 0);
}

TEST_CASE("a reason is one line of UTF-8, and nothing of it is lost") {
  CHECK(error_of("return score(1, 'a\\xffb\\nc \\xc3\\xa4 \\xc3')") == "rules/50-test.lua:4: a\xEF\xBF\xBD" "b c \xc3\xa4 \xEF\xBF\xBD");
  // Cut at 400 octets, never inside a character.
  CHECK(error_of("return score(1, ('x'):rep(399) .. ('\\xc3\\xa4'):rep(9))") == "rules/50-test.lua:4: " + std::string(399, 'x'));
  CHECK(error_of("return score(1, ('x'):rep(398) .. ('\\xc3\\xa4'):rep(9))") == "rules/50-test.lua:4: " + std::string(398, 'x') + "\xc3\xa4");
}

TEST_CASE("a field of the message is not known before the message") {
  RuleBench bench("rule \"r\" { on = \"mail\", check = function(mail)\n  return score(1, mail.subject)\nend }");
  bench.connect();
  auto decision = bench.mail();
  CHECK(decision.error);
  CHECK(bench.report.edition->health.states()[0].errors == 1);
}

TEST_CASE("pcall catches what a rule does wrong") {
  RuleBench bench(R"(
rule "r" { on = "message", check = function(mail)
  local good, what = pcall(function() return nil .. "x" end)
  local fine, a, b = pcall(function() return mail.spf.result, 2 end)
  local handled, told = xpcall(function() error("oops", 0) end, function(e) return "handled " .. e end)
  if not good and fine and a == "none" and b == 2 and not handled then return score(1, told) end
end })");
  bench.evidence.late = true;
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "handled oops");
}

TEST_CASE("facts can be read inside the callbacks of gsub and sort") {
  RuleBench bench(R"(
rule "gsub" { on = "message", check = function(mail)
  local text = ("a-b"):gsub("%a", function(c) return mail.spf.result .. c end)
  return score(1, text)
end }
rule "sort" { on = "message", check = function(mail)
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b) return mail.dmarc.result == "none" and a < b end)
  return score(1, table.concat(list, " "))
end }
rule "table" { on = "message", check = function(mail)
  local text = ("spf dkim"):gsub("%a+", setmetatable({}, { __index = function(_, key) return mail[key].result end }))
  return score(1, text)
end })");
  bench.evidence.late = true;
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 3);
  CHECK(verdict.hits[0].why == "nonea-noneb");
  CHECK(verdict.hits[1].why == "1 2 3");
  CHECK(verdict.hits[2].why == "none none");
}

TEST_CASE("where a wait is not possible the error names the line and the cure") {
  RuleBench bench(R"(
rule "r" { on = "message", check = function(mail)
  local thing = setmetatable({}, { __tostring = function()
    return mail.virus.state
  end })
  return score(1, tostring(thing))
end })");
  bench.evidence.late = true;
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].at == "rules/50-test.lua:4");
  CHECK(verdict.hits[0].why ==
        "mail.virus has to be waited for, which is not possible inside this callback: read it into a local before, like local value = mail.virus");
}

TEST_CASE("the cure of a question to DNS is that question") {
  CHECK(error_of("local thing = setmetatable({}, { __tostring = function() return dns.mx('a.example')[1].host end })\nreturn score(1, tostring(thing))") ==
        "rules/50-test.lua:4: dns.mx(...) has to be waited for, which is not possible inside this callback: read it into a local before, like local value = dns.mx(...)");
}

TEST_CASE("a handle dies with its message") {
  // The checker refuses this; a table that was passed through a function gets by it.
  RuleBench bench(R"(
local kept = {}
local function keep(t, value) rawequal(t, value) table.insert(t, value) end
rule "r" { on = "message", check = function(mail)
  if #kept == 0 then
    keep(kept, mail)
    return
  end
  return score(1, kept[1].subject)
end })");
  bench.all();
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].at == "rules/50-test.lua:9");
  CHECK(verdict.hits[0].why == "mail was used after its message was done: a check must not keep it outside of itself");
}
