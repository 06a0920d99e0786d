// Reload: only what loads, checks and passes its tests comes into force.
#include <fstream>

#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("postern-rules-" + std::to_string(::getpid()))) {
    fs::remove_all(path);
    fs::create_directories(path / "lists");
    options.rules = path;
    options.scripts = source_folder() / "scripts";
  }
  ~Folder() { fs::remove_all(path); }
  void write(const char* name, const std::string& text) { std::ofstream(path / name) << text; }
  fs::path path;
  LoadOptions options;
};

const char* kGood = R"(
rule "points" { on = "message", check = function(mail) return score(1, "one") end }
test "one point" { want = { score = 1 } }
)";

}  // namespace

TEST_CASE("a rule set whose test fails does not come into force, and the reason is shown") {
  Folder folder;
  folder.write("50-a.lua", kGood);
  RuleSet rules(folder.options);
  CHECK(rules.current() == nullptr);
  REQUIRE(rules.reload().good());
  auto first = rules.current();
  REQUIRE(first != nullptr);
  CHECK(rules.state().rules == 1);
  CHECK_FALSE(rules.changed());

  folder.write("50-a.lua", "rule \"points\" { on = \"message\", check = function(mail) return score(22, \"more\") end }\ntest \"one point\" { want = { score = 1 } }\n");
  CHECK(rules.changed());
  auto report = rules.reload();
  CHECK_FALSE(report.good());
  CHECK(rules.current() == first);
  CHECK(rules.state().problem ==
        "rules/50-a.lua:2: test \"one point\": wanted score 1, found ham with score 22; score 22 by points \"more\" at rules/50-a.lua:1");
  CHECK_FALSE(rules.changed());

  folder.write("50-a.lua", "rule \"points\" { on = \"message\", check = function(mail) return scor(2, \"two\") end }\n");
  CHECK_FALSE(rules.reload().good());
  CHECK(rules.current() == first);
  CHECK(rules.state().problem == "rules/50-a.lua:1: unknown name \"scor\" (score?)");

  folder.write("50-a.lua", "rule \"points\" { on = \"message\", check = function(mail) return score(3, \"three\") end }\n");
  REQUIRE(rules.reload().good());
  CHECK(rules.current() != first);
  CHECK(rules.current()->generation->hash() != first->generation->hash());
}

TEST_CASE("a reload loads a state for each loop, so that no loop compiles rules") {
  Folder folder;
  folder.write("50-a.lua", kGood);
  RuleSet rules(folder.options);
  REQUIRE(rules.reload().good());
  auto edition = rules.current();
  auto one = rules.take_state(*edition);
  REQUIRE(one != nullptr);
  CHECK(one->shared_generation() == edition->generation);
  CHECK(one->rules().size() == 1);
  CHECK(rules.take_state(*edition) != one);
  folder.write("50-a.lua", "");
  REQUIRE(rules.reload().good());
  CHECK(rules.take_state(*edition) == nullptr);
  auto other = rules.take_state(*rules.current());
  REQUIRE(other != nullptr);
  CHECK(other->rules().empty());
}

TEST_CASE("a rules folder that cannot be read is a mistake with its name") {
  LoadOptions options;
  options.rules = "/nowhere/rules";
  options.scripts = source_folder() / "scripts";
  auto report = load_rules(options);
  CHECK_FALSE(report.good());
  CHECK(report.summary().find("/nowhere/rules") != std::string::npos);
}

TEST_CASE("a message in progress keeps its rules, the next one gets the new ones") {
  Folder folder;
  folder.write("50-a.lua", kGood);
  RuleSet rules(folder.options);
  REQUIRE(rules.reload().good());
  io::Loop loop;
  FixedClock clock(from_unix(1'800'000'000));
  Counters counters(clock);
  DnsLists lists(clock);
  dns::FixedResolver resolver;
  FixedEvidence evidence;
  JudgeSetting setting;
  setting.hostname = "mx.test";
  setting.rules = &rules;
  setting.counters = &counters;
  setting.lists = &lists;
  setting.clock = &clock;
  Judge judge(setting, resolver, evidence);
  auto examination = judge.examine();
  smtp::Client client;
  client.ip = *IpAddress::parse("192.0.2.1");
  smtp::Sender sender;
  sender.address = "anna@sender.example";
  std::vector<smtp::Recipient> recipients = {{"ben@example.org", "ben@example.org", {}}};
  loop.block_on(examination->on_connect(client));
  loop.block_on(examination->on_mail(client, sender));
  std::string old = rules.current()->generation->hash();

  folder.write("50-a.lua", "rule \"points\" { on = \"message\", check = function(mail) return score(2, \"two points\") end }\n");
  REQUIRE(rules.changed());
  REQUIRE(rules.reload().good());
  CHECK(rules.current()->generation->hash() != old);

  auto verdict = loop.block_on(examination->on_message(client, "M1", Octets(std::string("Subject: x\r\n\r\n")), recipients));
  CHECK(verdict.generation == old);
  CHECK(verdict.score == 1);
  loop.block_on(examination->on_mail(client, sender));
  verdict = loop.block_on(examination->on_message(client, "M2", Octets(std::string("Subject: x\r\n\r\n")), recipients));
  CHECK(verdict.generation == rules.current()->generation->hash());
  CHECK(verdict.score == 2);
}

TEST_CASE("a list that changes is in force without a reload") {
  Folder folder;
  folder.write("lists/x.txt", "192.0.2.1\n");
  folder.write("50-a.lua", "local l = list \"lists/x.txt\"\nrule \"l\" { on = \"connect\", check = function(conn) if l[conn.ip] then return reject \"listed\" end end }\n");
  RuleSet rules(folder.options);
  REQUIRE(rules.reload().good());
  auto lists = rules.current()->generation->lists();
  CHECK(lists->get("lists/x.txt")->contains("192.0.2.1"));
  folder.write("lists/x.txt", "# nobody any more\n");
  CHECK_FALSE(rules.changed());
  CHECK_FALSE(lists->get("lists/x.txt")->contains("192.0.2.1"));
}
