// Every way to stand still or to eat memory that we could think of, stopped; and nothing catches that.
#include <lua.hpp>

#include <chrono>
#include <ctime>

#include "gateway/io/together.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
using smtp::Action;

namespace {

struct Bomb {
  const char* name;
  const char* body;
  const char* what;   // part of the error
};

const Bomb kBombs[] = {
    {"an endless loop", "while true do end", "CPU budget of 20 ms spent"},
    {"an endless loop inside pcall", "while true do pcall(function() while true do end end) end", "CPU budget of 20 ms spent"},
    {"an endless loop inside xpcall", "while true do xpcall(function() while true do end end, function() while true do end end) end", "CPU budget"},
    {"a pattern that backtracks", "return score(1, ('a'):rep(40000):match('.-.-.-.-.-.-b') or 'none')", "CPU budget"},
    {"a pattern that backtracks inside pcall", "pcall(string.find, ('a'):rep(40000), '.-.-.-.-.-.-b')", "CPU budget"},
    {"gsub with a pattern that backtracks", "return score(1, (('a'):rep(40000):gsub('.-.-.-.-.-b', '')))", "CPU budget"},
    {"a comparison that never ends", "local t = {} for i = 1, 200 do t[i] = i end table.sort(t, function() while true do end end)", "CPU budget"},
    {"strings that are joined for ever", "local s = 'x' while true do local t = s:rep(1000000) end", "budget"},
    {"upper for ever", "local s = ('x'):rep(3000000) while true do local t = s:upper() end", "budget"},
    {"a table that grows", "local t = {} for i = 1, 1e9 do t[i] = i end", "budget"},
    {"a string that grows", "local s = 'x' for i = 1, 100 do s = s .. s end", "budget"},
    {"a string that grows inside pcall", "pcall(function() local s = 'x' for i = 1, 100 do s = s .. s end end)", "budget"},
    {"gsub whose one match is replaced a million times", "local s = ('x'):rep(1000000):gsub('.+', ('%0'):rep(100000))", "budget"},
    {"rep of a thousand million", "local s = ('x'):rep(1000000000)", "memory budget"},
    {"rep of nothing", "local s = (''):rep(math.maxinteger) return score(1, 'done')", ""},
    {"a frame that never ends", "local function f() return f() end f()", "CPU budget"},
    {"recursion", "local function f() return 1 + f() end f()", ""},
    {"recursion through pcall", "local function f() pcall(f) pcall(f) end f()", "CPU budget"},
    {"table.insert at the front for ever", "local t = {} while true do table.insert(t, 1, 1) end", "budget"},
    {"table.concat with a huge range", "local t = setmetatable({}, { __index = function() return '' end }) table.concat(t, '', 1, math.maxinteger)", "CPU budget"},
    {"gmatch over empty matches for ever", "while true do for x in ('aaaa'):gmatch('x-') do end end", "CPU budget"},
};

}  // namespace

TEST_CASE("no rule runs longer or holds more than its budget") {
  for (const Bomb& bomb : kBombs) {
    INFO(bomb.name);
    RuleBench bench(std::string("rule \"bomb\" { on = \"connect\", check = function(conn)\n") + bomb.body + "\nend }");
    auto begin = std::chrono::steady_clock::now();
    auto decision = bench.connect();
    auto took = std::chrono::steady_clock::now() - begin;
    if (std::string_view(bomb.what).empty()) {
      // Ends by itself, or with an error of Lua's own; what counts is that it ends.
      CHECK(decision.action != Action::accept);
    } else {
      CHECK(decision.action == Action::defer);
      CHECK(decision.error);
      auto health = bench.report.edition->health.states();
      CHECK(health[0].errors == 1);
    }
    CHECK(took < std::chrono::seconds(5));
    CHECK(bench.state->octets() < (32U << 20));
  }
}

TEST_CASE("the error of a budget says which one, and where") {
  for (const Bomb& bomb : kBombs) {
    if (std::string_view(bomb.what).empty()) continue;
    INFO(bomb.name);
    RuleBench bench(std::string("rule \"bomb\" { on = \"message\", check = function(mail)\n") + bomb.body + "\nend }");
    auto verdict = bench.all();
    CHECK(verdict.verdict == "defer");
    CHECK(verdict.error);
    REQUIRE(verdict.hits.size() == 1);
    CHECK(verdict.hits[0].kind == "error");
    CHECK(verdict.hits[0].why.find(bomb.what) != std::string::npos);
    CHECK(verdict.hits[0].at == "rules/50-test.lua:2");
  }
}

TEST_CASE("a field is decoded once for all who read it") {
  RuleBench bench("rule \"reads\" { on = \"message\", check = function(mail)\n"
                  "local sum = 0 for i = 1, 2000 do sum = sum + #mail.header[\"Subject\"] end return score(1, 'read ' .. sum) end }");
  auto verdict = bench.all("Subject: " + std::string(1'000'000, 'x') + "\r\n\r\nBody\r\n");
  CHECK_FALSE(verdict.error);
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "read " + std::to_string(2'000 * 65'535));   // 64 KiB less the blank behind the colon
}

TEST_CASE("after a bomb the state judges the next message as if nothing had been") {
  RuleBench bench(R"(
rule "bomb" { on = "message", check = function(mail)
  if mail.subject == "bomb" then local s = "x" while true do s = s .. s end end
  return score(1, "fine")
end })");
  for (int i = 0; i < 20; ++i) {
    CHECK(bench.all("Subject: bomb\r\n\r\n").verdict == "defer");
    auto fine = bench.all("Subject: fine\r\n\r\n");
    CHECK(fine.verdict == "ham");
    CHECK(fine.score == 1);
  }
}

TEST_CASE("a second bomb on the same Lua thread is stopped like the first") {
  // Ends by itself after seconds, so that a limit that is gone shows as a failure and not as a hang.
  RuleBench bench(R"(
rule "bomb" { on = "connect", check = function(conn)
  for i = 1, 1e9 do end
end })");
  for (int i = 0; i < 3; ++i) {
    auto begin = std::chrono::steady_clock::now();
    CHECK(bench.connect().error);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
  }
}

TEST_CASE("functions that look through long texts are counted by their length") {
  for (const char* call : {"utf8.len(s)", "utf8.offset(s, #s)", "tonumber(s)"}) {
    INFO(call);
    RuleBench bench(std::string("rule \"bomb\" { on = \"connect\", check = function(conn)\n local s = ('1'):rep(3900000)\n while true do local x = ") + call +
                    " end\nend }");
    std::clock_t begin = std::clock();
    CHECK(bench.connect().error);
    CHECK(std::clock() - begin < CLOCKS_PER_SEC);   // uncounted it would be many times that, whatever the build
  }
}

TEST_CASE("a rule may ask two hundred DNS questions for one message and no more") {
  RuleBench bench(R"(
rule "asker" { on = "message", check = function(mail)
  for i = 1, 1000 do pcall(dns.a, "host" .. i .. ".example") end
end })");
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.hits[0].why == "more than 200 DNS questions for one message");
  CHECK(bench.resolver.asked().size() == 200);
}

TEST_CASE("a rule may count and remember a thousand times in one run and no more") {
  lua::Budgets patient;   // a thousand calls are much for an instrumented build
  patient.cpu = std::chrono::seconds(5);
  RuleBench bench(R"(
rule "counter" { on = "message", check = function(mail)
  for i = 1, mail.header["Times"] do count("key" .. i % 2, "10m") end
  return score(1, "in all " .. count("key1", "10m"))
end })", patient);
  auto most = bench.all("Times: 999\r\n\r\n");
  REQUIRE(most.hits.size() == 1);
  CHECK(most.hits[0].why == "in all 501");
  auto more = bench.all("Times: 1000\r\n\r\n");
  REQUIRE(more.hits.size() == 1);
  CHECK(more.hits[0].why == "more than 1000 calls of count and remember in one run");
}

TEST_CASE("a long key counts as the piece of it that is kept") {
  RuleBench bench(R"(
rule "counter" { on = "message", check = function(mail)
  local key = ("x"):rep(600)
  count(key, "10m")
  remember(key .. "a", "10m", "kept")
  return score(count(key .. "more", "10m"), recall(key .. "b"))
end })");
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].points == 2);
  CHECK(verdict.hits[0].why == "kept");
}

TEST_CASE("a stage that does not end in time defers, and names the rule that it waited for") {
  lua::Budgets budgets;
  budgets.stage_wall = std::chrono::milliseconds(50);
  RuleBench bench(R"(
rule "waits" { on = "message", check = function(mail)
  if mail.virus.state == "clean" then return accept "clean" end
end })", budgets);
  bench.connect();
  bench.mail();
  bench.evidence.virus.state = Virus::State::clean;
  bench.evidence.late = true;
  bench.evidence.lateness = std::chrono::milliseconds(500);
  auto verdict = bench.message();
  CHECK(verdict.verdict == "defer");
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "no answer within the stage's time of 0 s");
}

TEST_CASE("rules that only compute do not get more than the stage's time") {
  lua::Budgets budgets;
  budgets.cpu = std::chrono::seconds(60);
  budgets.stage_wall = std::chrono::milliseconds(1);
  RuleBench bench(R"(
rule "slow" { on = "message", check = function(mail)
  for i = 1, 3e6 do end
end }
rule "next" { on = "message", check = function(mail)
  return accept "in time"
end })", budgets);
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  REQUIRE_FALSE(verdict.hits.empty());
  CHECK(verdict.hits.back().why.find("no answer within the stage's time, which was over") == 0);
  for (const auto& state : bench.report.edition->health.states()) CHECK(state.errors == 0);
}

TEST_CASE("what is not judged within the message's time is deferred") {
  lua::Budgets budgets;
  budgets.message_wall = std::chrono::milliseconds(0);
  RuleBench bench(R"(
rule "each" { on = "deliver", check = function(mail, rcpt)
  return accept "judged"
end })", budgets);
  bench.recipients.push_back({"cleo@example.org", "cleo@example.org", {}});
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.error);
}

namespace {

io::Task<void> beat(int& beats) {
  for (;;) {
    co_await io::sleep_until(in(std::chrono::milliseconds(1)));
    ++beats;
  }
}

}  // namespace

TEST_CASE("the loop turns while a message for many recipients is judged") {
  int beats = 0;
  lua::Budgets budgets;
  budgets.cpu = std::chrono::seconds(60);
  RuleBench bench(R"(
rule "each" { on = "deliver", check = function(mail, rcpt)
  for i = 1, 1e6 do end
end })", budgets);
  for (int i = 0; i < 40; ++i) bench.recipients.push_back({"r" + std::to_string(i) + "@example.org", "", {}});
  bench.connect();
  bench.mail();
  bench.loop.spawn(beat(beats), "beat");
  CHECK(bench.message().verdict == "ham");
  CHECK(beats > 5);
}

TEST_CASE("when the state's memory is full no rule is blamed and the next message gets a new state") {
  lua::Budgets budgets;
  budgets.memory = 64U << 20;
  budgets.state_memory = 4U << 20;
  RuleBench bench(R"(
rule "eats" { on = "message", check = function(mail)
  if mail.subject == "much" then local s = ("x"):rep(10000000) end
end })", budgets);
  auto verdict = bench.all("Subject: much\r\n\r\n");
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.hits[0].why == "the memory of the rules' state is full");
  CHECK(bench.report.edition->health.states()[0].errors == 0);
  CHECK(bench.state->full());
  CHECK(bench.all("Subject: little\r\n\r\n").verdict == "ham");
}

TEST_CASE("memory that ends while a handle is made is an error of the rule, and the gateway lives") {
  // Each limit lets one small allocation more through than the one before.
  int refused = 0, allowed = 0;
  for (std::size_t limit = 0; limit <= 2'400; limit += 40) {
    INFO(limit);
    lua::Budgets budgets;
    budgets.memory = limit;
    RuleBench bench(R"(
rule "handles" { on = "message", check = function(mail)
  local header, conn = mail.header, mail.conn
end })", budgets);
    lua_gc(bench.state->main(), LUA_GCCOLLECT);  // or what loading left would count as memory given back
    auto verdict = bench.all();
    CHECK(verdict.verdict == (verdict.hits.empty() ? "ham" : "defer"));
    ++(verdict.hits.empty() ? allowed : refused);
  }
  CHECK(refused > 0);
  CHECK(allowed > 0);
}

namespace {

io::Task<void> judge_one(RuleBench& bench, std::unique_ptr<smtp::Examination>& examination, std::string text, smtp::MessageVerdict& out) {
  smtp::Decision door = co_await examination->on_connect(bench.client);
  smtp::Decision envelope = co_await examination->on_mail(bench.client, bench.sender);
  CHECK_FALSE(door.refuses());
  CHECK_FALSE(envelope.refuses());
  smtp::MessageVerdict verdict = co_await examination->on_message(bench.client, "M1", Octets(std::move(text)), bench.recipients);
  out = std::move(verdict);
}

}  // namespace

TEST_CASE("many long messages that wait for a scan do not fill the state's memory") {
  lua::Budgets budgets;
  budgets.state_memory = 6U << 20;
  RuleBench bench(R"(
rule "reads" { on = "message", check = function(mail)
  if #mail.text > 900000 and mail.virus.state == "clean" then return score(1, "read") end
end })", budgets);
  bench.evidence.late = true;
  std::string text = "Subject: long\r\n\r\n" + std::string(1'000'000, 'x');
  std::vector<std::unique_ptr<smtp::Examination>> examinations;
  std::vector<smtp::MessageVerdict> verdicts(12);
  std::vector<io::Task<void>> tasks;
  for (std::size_t i = 0; i < verdicts.size(); ++i) examinations.push_back(bench.judge().examine());
  for (std::size_t i = 0; i < verdicts.size(); ++i) tasks.push_back(judge_one(bench, examinations[i], text, verdicts[i]));
  bench.loop.block_on(io::together(std::move(tasks)));
  for (const auto& verdict : verdicts) CHECK(verdict.score == 1);
  CHECK_FALSE(bench.state->full());
}

TEST_CASE("a regular expression that backtracks without end is an error of its rule") {
  RuleBench bench(R"(
local evil = re("(a+)+$")
rule "regex" { on = "message", check = function(mail)
  if evil:test(("a"):rep(5000) .. "b") then return score(1, "matched") end
end })");
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.hits[0].why.find("takes too long on this text") != std::string::npos);
}

TEST_CASE("files that loop for ever while they are loaded are stopped one by one") {
  lua::Budgets budgets;
  budgets.load_cpu = std::chrono::milliseconds(20);
  auto report = load_rules(generation_of({{"rules/10-one.lua", "while true do end"}, {"rules/20-two.lua", "while true do end"}}, budgets), false);
  REQUIRE(report.mistakes.size() == 2);
  CHECK(report.mistakes[0].text() == "rules/10-one.lua:1: CPU budget of 20 ms spent");
  CHECK(report.mistakes[1].text() == "rules/20-two.lua:1: CPU budget of 20 ms spent");
}
