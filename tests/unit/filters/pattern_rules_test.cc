// Patterns in rules: what one pass for all of them answers, and rules that were translated from SpamAssassin.
#include "filters/sa_import.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;

namespace {

// "why why ..." of all hits, once without and once with the set of patterns; they must be the same.
std::string hits(std::vector<lua::SourceFile> files, const std::string& message) {
  std::string first;
  for (bool with_set : {false, true}) {
    RuleBench bench(files);
    if (with_set) bench.report.edition->generation->compile_patterns();
    std::string text = message.substr(message.find("\r\n\r\n") + 4);
    std::erase(text, '\r');
    bench.evidence.text = text;      // as readable_text() gives it
    std::string out;
    for (const auto& hit : bench.all(message).hits) out += (out.empty() ? "" : " ") + (hit.kind == "error" ? "ERROR " : std::string()) + hit.why;
    if (!with_set) first = out;
    CHECK(out == first);
  }
  return first;
}
std::string hits(const std::string& rules, const std::string& message) { return hits({{"rules/50-test.lua", rules}}, message); }

std::string imported(const std::string& config, const std::string& message) {
  auto made = sa::import_sa({{"a.cf", config}}, {});
  INFO(made.lua);
  REQUIRE_FALSE(made.lua.empty());
  return hits({{"rules/60-sa.lua", made.lua}, {"scripts/std/sa.lua", file_text(source_folder() / "scripts/std/sa.lua")}}, message);
}

const std::string kMail = "Subject: FREE money\r\nFrom: \"Anna A\" <anna@sender.example>\r\nTo: ben@example.org\r\nX-Long: one\r\n two\r\n\r\nfirst line\r\nof one paragraph\r\n\r\nsecond one\r\n";

}  // namespace

TEST_CASE("one pass for all patterns changes no answer") {
  std::string rules = "local p = {}\nfor i = 1, 40 do p[i] = re(\"word\" .. i .. \"\\\\b\") end\nlocal any = re(\"FIRST (line)\", \"i\")\nlocal last = re(\"one\\\\s*$\")\n"
                      "rule \"r\" { on = \"message\", about = \"x\", check = function(mail)\n local out = {}\n"
                      " for i = 1, 40 do if p[i]:test(mail.text) or p[i](mail.subject) then out[#out + 1] = i end end\n"
                      " out[#out + 1] = any:match(mail.text) or \"-\"\n local from, to = last:find(mail.text, 5)\n out[#out + 1] = from and from .. \"-\" .. to or \"-\"\n"
                      " for i = 1, 5 do out[#out + 1] = any:test(\"no\" .. i) and \"?\" or any:test(\"first line\" .. i) and \"!\" end\n"
                      " return score(1, table.concat(out, \",\"))\nend }\n";
  CHECK(hits(rules, "Subject: word7 word12x\r\n\r\nfirst line word3 word39 word40\r\nsecond one\r\n") == "3,7,39,40,line,39-42,!,!,!,!,!");
}

TEST_CASE("texts longer than a handle keeps are passed over once as well") {
  std::string rules = "local p = {}\nfor i = 1, 20 do p[i] = re(\"word\" .. i .. \"\\\\b\") end\n"
                      "rule \"r\" { on = \"message\", about = \"x\", check = function(mail)\n local out = {}\n for i = 1, 20 do if p[i]:test(mail.text) then out[#out + 1] = i end end\n"
                      " return score(1, table.concat(out, \",\"))\nend }\nrule \"s\" { on = \"message\", about = \"x\", check = function(mail)\n if p[9]:test(mail.text .. \"word9\") and not p[8]:test(mail.text) then return score(1, \"s\") end\nend }\n";
  std::string text = "Subject: x\r\n\r\n";
  while (text.size() < 100'000) text += "nothing at all\r\n";
  CHECK(hits(rules, text + "word7 word12\r\n") == "7,12 s");
}

TEST_CASE("a text that is asked about again after another took its place is itself") {
  std::string rules = "local a, b, c, d = re(\"a+1\"), re(\"b+1\"), re(\"c+1\"), re(\"d+1\")\nrule \"r\" { on = \"message\", about = \"x\", check = function(mail)\n local count = 0\n"
                      " for i = 1, 3000 do\n  local text = (i % 2 == 0 and \"aa1\" or \"bb1\") .. (\" \"):rep(45) .. i\n  local x, y = a:test(text), b:test(text)\n"
                      "  if c:test(text) or d:test(text) or x == y or x ~= a:test(text) then count = count + 1 end\n end\n return score(1, \"wrong \" .. count)\nend }\n";
  lua::Budgets budgets;
  budgets.cpu = std::chrono::seconds(5);
  RuleBench bench(rules, budgets);
  bench.report.edition->generation->compile_patterns();
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "wrong 0");
}

TEST_CASE("a pattern counts its matches, in the text and in each of its lines") {
  auto counted = [](const std::string& call) { return hits("local p = re(\"^a+\", \"m\")\nlocal q = re(\"x*\")\nlocal z = re(\"b\\\\z\")\nrule \"r\" { on = \"message\", about = \"x\", check = function() return score(1, tostring(" + call + ")) end }\n", kMail); };
  CHECK(counted("p:count(\"aa\\na\\nba\")") == "2");
  CHECK(counted("p:count(\"aa\\na\\nba\", 1)") == "1");
  CHECK(counted("p:count_lines(\"aa\\na\\nba\")") == "2");
  CHECK(counted("q:count(\"yxx\")") == "3");
  CHECK(counted("q:count(\"\")") == "1");
  CHECK(counted("z:count(\"b\\nb\\nb\")") == "1");
  CHECK(counted("z:count_lines(\"ab\\ncb\")") == "1");
  CHECK(counted("p:count_lines(\"\")") == "0");
  CHECK(counted("p:count({})").starts_with("ERROR"));
}

TEST_CASE("a message has its other forms as fields") {
  auto field = [](const std::string& name) { return hits("rule \"r\" { on = \"message\", about = \"x\", check = function(mail) return score(1, (mail." + name + ":gsub(\"\\n\", \"|\"))) end }\n", kMail); };
  CHECK(field("paragraphs") == "FREE money|first line of one paragraph|second one|");
  CHECK(field("header_text").find("|X-Long: one two|") != std::string::npos);
  CHECK(field("header_source").find("|X-Long: one| two|") != std::string::npos);
  CHECK(field("raw_text").starts_with("first line|of one paragraph||second one|"));
  CHECK(field("source").starts_with("Subject: FREE money|From:"));
  CHECK(field("part_headers").starts_with("Subject: FREE money|"));
}

TEST_CASE("translated rules match as SpamAssassin's do") {
  CHECK(imported("body A /line of one/\nbody B /paragraph second/\nbody C /^second one$/\nbody D /free money/i\nbody E /FREE/\ntflags E nosubject\n", kMail) == "A C D");
  CHECK(imported("header A Subject =~ /^FREE/\nheader B From:addr =~ /^anna@sender\\.example$/\nheader C From:name =~ /^Anna A$/\nheader D X-None =~ /x/ [if-unset: x]\nheader E X-None !~ /y/\n"
                 "header F exists:X-Long\nheader G X-Long =~ /^one two$/\nheader H X-Long:raw =~ /one\\n two/\nheader I ToCc =~ /ben/\nheader J EnvelopeFrom =~ /anna/\nheader K ALL =~ /^X-Long: one two$/m\n"
                 "header L exists:X-Gone\nheader M X-Spam-Relays-External =~ /^\\[ ip=192\\.0\\.2\\.1 .* helo=client\\.example /\n", kMail) == "A B C D E F G H I J K M");
  CHECK(imported("rawbody A /line\\nof/\nfull B /^Subject: .*From:/s\nmimeheader C Subject =~ /^FREE/\nmimeheader D Subject !~ /x/\n", kMail) == "A B C D");
  CHECK(imported("body __ONE /one/\ntflags __ONE multiple maxhits=5\nmeta THREE __ONE == 3\nmeta NONE __NOBODY || !__ONE\nmeta MANY __ONE + __ONE > 3\ndescribe MANY Many of them\n", kMail) == "THREE MANY: Many of them");
  CHECK(imported("body A /caf\\xc3\\xa9.{2}x/\nbody B /caf\\xe9/\n", "Subject: x\r\n\r\ncaf\xc3\xa9 -x\r\n") == "A");
}

TEST_CASE("their derived tests pass, and a judged message costs one rule") {
  auto made = sa::import_sa({{"a.cf", "body A /\\bfree money\\b/i\nheader B Subject =~ /^win$/\nheader C X-Mailer =~ /^bad\\d{2}/\n"}}, {});
  CHECK(made.figures.tests == 3);
  auto report = load_rules(generation_of({{"rules/60-sa.lua", made.lua}, {"scripts/std/sa.lua", file_text(source_folder() / "scripts/std/sa.lua")}}));
  for (const auto& failed : report.failed_tests) UNSCOPED_INFO(failed.test + ": " + failed.mistake.text());
  for (const auto& mistake : report.mistakes) UNSCOPED_INFO(mistake.text());
  CHECK(report.good());
  CHECK(report.rules == 1);
  CHECK(report.tests == 3);
}

TEST_CASE("a file with more texts than a Lua function names nearby is checked as any other") {
  std::string config;
  for (int i = 0; i < 400; ++i) config += "body R" + std::to_string(i) + " /text" + std::to_string(i) + "\\b/\n";
  CHECK(imported(config, "Subject: x\r\n\r\ntext7 text399 text4000\r\n") == "R7 R399");
}

TEST_CASE("translated rules look at the beginning of a large message") {
  std::string text = "Subject: x\r\n\r\n";
  while (text.size() < 14'000) text += "some words\r\n";
  text += "near\r\n";
  while (text.size() < 200'000) text += "some words\r\n";
  CHECK(imported("body A /near/\nbody B /far/\nrawbody C /far/\nfull D /far/\n", text + "far\r\n") == "A");
}

TEST_CASE("more hits than verdicts are added up") {
  std::string config;
  for (int i = 0; i < 200; ++i) config += "header R" + std::to_string(i) + " Subject =~ /FREE/\n";
  auto all = imported(config, kMail);
  CHECK(all.find("ERROR") == std::string::npos);
  CHECK(all.ends_with("R79 more rules, up to R199"));
}
