// SpamAssassin's rules and what they become.
#include "filters/sa_import.h"

#include "filters/sa_eval.h"
#include "filters/sa_meta.h"
#include "filters/sa_pattern.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters::sa;

namespace {

Import import(std::string text, ImportOptions options = {}) { return import_sa({{"a.cf", std::move(text)}}, options); }

bool has(const Import& made, std::string_view what) { return made.lua.find(what) != std::string::npos; }

// "at what: why" of all that was left.
std::string left(const Import& made) {
  std::string out;
  for (const auto& one : made.left) out += one.at + " " + one.what + ": " + one.why + "\n";
  return out;
}

std::string meta(std::string_view expression) {
  auto known = [](std::string_view name) { return name.starts_with("U") ? Certainty::unknown : name.starts_with("P") ? Certainty::at_least : Certainty::exact; };
  auto matching = [](std::string_view) { return std::vector<std::string>{"A", "B"}; };
  auto made = translate_meta(expression, known, matching);
  if (!made) return "error: " + made.error().text;
  return made->lua + (made->certainty == Certainty::at_least ? " +" : "");
}

std::string pattern(std::string_view text, const Config& config = {}, bool replace = false) {
  auto made = read_pattern(text, config, replace);
  return made ? made->text + " " + made->flags : "error: " + made.error().text;
}

}  // namespace

TEST_CASE("each kind of rule becomes a line that reads like it") {
  auto made = import(R"(
header   H1 Subject =~ /hello/i
header   H2 X-Mailer !~ /good/ [if-unset: none]
header   H3 From:addr =~ m{^a@b}   # a comment
header   H4 exists:X-Spam
body     B1 /free money/i
describe B1 It offers "money"
rawbody  R1 /<b>\#1/
uri      U1 m!^https?://x\.example/!
full     F1 /begin/s
mimeheader M1 Content-Type =~ /name="a\.gif"/
meta     ALL_OF_IT H1 && (B1 || U1)
score    B1 1.5
score    U1 0.1 0.2 0.3 0.4
)");
  INFO(made.lua << left(made));
  CHECK(has(made, R"(sa:header("H1", "Subject", "hello", "ib"))"));
  CHECK(has(made, R"(sa:header("H2", "X-Mailer", "good", "b", { absent = true, unset = "none" }))"));
  CHECK(has(made, R"(sa:header("H3", "From:addr", "^a@b", "b"))"));
  CHECK(has(made, R"(sa:exists("H4", "X-Spam"))"));
  CHECK(has(made, R"(sa:body("B1", "free money", "ibm"))"));
  CHECK(has(made, R"(sa:score("B1", 1.5, "It offers \"money\""))"));
  CHECK(has(made, R"(sa:rawbody("R1", "<b>#1", "b"))"));
  CHECK(has(made, R"(sa:uri("U1", [[^https?://x\.example/]], "bm"))"));
  CHECK(has(made, R"(sa:score("U1", 0.4))"));
  CHECK(has(made, R"(sa:full("F1", "begin", "sb"))"));
  CHECK(has(made, R"(sa:mimeheader("M1", "Content-Type", [[name="a\.gif"]], "b"))"));
  CHECK(has(made, R"(sa:meta("ALL_OF_IT", function(is) return is.H1 and (is.B1 or is.U1) end))"));
  CHECK(made.left.empty());
  CHECK(made.figures.rules == 10);
  CHECK(made.figures.scored == 10);
}

TEST_CASE("parts stand there only where a rule with points needs them") {
  auto made = import("body __A /aa/\nbody __B /bb/\nmeta M __A\nbody OFF /x/\nscore OFF 0\nbody T_NEW /y/\nbody N /z/\ntflags N nice multiple maxhits=3 nosubject\n");
  INFO(made.lua);
  CHECK(has(made, "__A"));
  CHECK_FALSE(has(made, "__B"));
  CHECK_FALSE(has(made, "OFF"));
  CHECK(has(made, R"(sa:score("T_NEW", 0.01))"));
  CHECK(has(made, R"(sa:score("N", -1))"));
  CHECK(has(made, R"("bm", { max = 3, subject = false }))"));
  CHECK(made.figures.parts == 1);
  CHECK(made.figures.off == 2);
}

TEST_CASE("the last definition counts, and a relative score is added") {
  auto made = import("body A /one/\nbody A /two/\nscore A 2\nscore A (0.5)\n");
  CHECK(has(made, "\"two\""));
  CHECK_FALSE(has(made, "\"one\""));
  CHECK(has(made, R"(sa:score("A", 2.5))"));
}

TEST_CASE("what depends on what is missing is left out where it could not be told") {
  auto made = import(R"(body A /a/
header E eval:check_bayes('0.9')
meta BOTH A && E
meta NOT_E A && !E
meta EITHER A || E
meta SUM (A + E) > 0
meta FEW (A + E) < 1
meta CHAIN EITHER && A
meta NOT_CHAIN A && !EITHER
meta SELF SELF || A
meta UNDEFINED A && !NEVER_HEARD
)");
  INFO(made.lua << left(made));
  CHECK(has(made, "sa:meta(\"EITHER\", function(is) return is.A end)   -- less than the original"));
  CHECK(has(made, "sa:meta(\"SUM\", function(is, n) return n.A > 0 end)"));
  CHECK(has(made, "sa:meta(\"CHAIN\", function(is) return is.EITHER and is.A end)   -- less than the original"));
  CHECK(has(made, "sa:meta(\"UNDEFINED\", function(is) return is.A and not is.NEVER_HEARD end)"));
  for (const char* gone : {"BOTH", "NOT_E", "FEW", "NOT_CHAIN"}) {
    CAPTURE(gone);
    CHECK_FALSE(has(made, "\"" + std::string(gone) + "\""));
    CHECK(left(made).find(gone + std::string(": it depends on")) != std::string::npos);
  }
  CHECK(left(made).find("a.cf:2 E: eval:check_bayes has no equal here; Postern's own Bayes takes its place") != std::string::npos);
  CHECK(made.figures.left_eval == 1);
  CHECK(made.figures.left_meta == 4);
}

TEST_CASE("expressions keep Perl's precedence in Lua") {
  struct Case { const char* from; const char* to; };
  for (const Case& c : {Case{"A", "is.A"}, {"!A", "not is.A"}, {"!(A && B)", "not (is.A and is.B)"}, {"A + B > 1", "n.A + n.B > 1"}, {"(A + 2*B) >= 3 && !C", "n.A + 2 * n.B >= 3 and not is.C"},
                        {"A && B || C && D", "is.A and is.B or is.C and is.D"}, {"A && (B || C)", "is.A and (is.B or is.C)"}, {"((A && B) + C) > 1", "(is.A and is.B and 1 or 0) + n.C > 1"},
                        {"A == 0", "n.A == 0"}, {"A != B", "n.A ~= n.B"}, {"A - (B - C) > 0", "n.A - (n.B - n.C) > 0"}, {"A + B", "n.A + n.B ~= 0"}, {"!!A", "not not is.A"},
                        {"(A > 20) && (B > ((A * 14) / 10))", "n.A > 20 and n.B > n.A * 14 / 10"}, {"rules_matching(__X_*) > 1", "n.A + n.B > 1"}, {"!A + !B > 1", "(not is.A and 1 or 0) + (not is.B and 1 or 0) > 1"},
                        {"P || A", "is.P or is.A +"}, {"P && A", "is.P and is.A +"}, {"A && U", "error: it depends on U, which is not translated"}, {"A || U", "is.A +"}, {"U || U2", "error: it depends on U, which is not translated"},
                        {"!P", "error: it depends on something that is not translated whole, which is not translated"}, {"P > 2", "n.P > 2 +"}, {"2 < P", "2 < n.P +"}, {"P < 2", "error: it depends on something that is not translated whole, which is not translated"},
                        {"A + U > 1", "n.A > 1 +"}, {"A - U > 1", "error: it depends on U, which is not translated"}, {"U - A > 1", "error: it depends on U, which is not translated"}, {"A &&", "error: its expression ends too early"},
                        {"(A", "error: a parenthesis is not closed"}, {"A B", "error: \"B\" is not understood"}, {"A $ B", "error: \"$ B\" is not understood"}, {"1.2.3", "error: \"1.2.3\" is no number"}, {"", "error: its expression ends too early"}}) {
    CAPTURE(c.from);
    CHECK(meta(c.from) == c.to);
  }
  CHECK(meta(std::string(5000, '(')) == "error: its expression is nested too deep");
  CHECK(meta(std::string(5000, '!') + "A") == "error: its expression is nested too deep");
  CHECK(names_in("A && !B*2 + n.__C > 3 or A") == std::vector<std::string>{"A", "B", "n", "__C", "or"});
}

TEST_CASE("Perl's patterns become ours") {
  struct Case { const char* from; const char* to; };
  for (const Case& c : {Case{"/a\\/b/i", "a\\/b ib"}, {"m{a/b}", "a/b b"}, {"m,a/b,smx", "a/b smxb"}, {"m!x\\!y!", "x\\!y b"}, {"/caf\xe9/", "caf\\xe9 b"}, {"/\\xc3\\xa9/", "\\xc3\\xa9 b"}, {"/a/gio", "a ib"},
                        {"/a(b)/n", "(?n)a(b) b"}, {"/\\y\\_/", "y_ b"}, {"/a/q", "error: the modifier \"q\" is not known"}, {"/a", "error: its pattern does not end"}, {"a", "error: it is no pattern between slashes"},
                        {"/%{NAME}/", "error: it uses text that another rule captured"}, {"//", "error: its pattern is empty"}}) {
    CAPTURE(c.from);
    CHECK(pattern(c.from) == c.to);
  }
  CHECK(pattern("/(a/").starts_with("error: pattern"));
  CHECK(pattern("/\\Ga/") == "error: re() has no \\G");
}

TEST_CASE("tags are replaced in the rules that ask for it") {
  auto config = read_config({{"a.cf", "replace_start <\nreplace_end >\nreplace_tag A [a4]\nreplace_tag NEST x<A>\nreplace_inter SP \\s?\nreplace_post P2 {1,2}\nreplace_pre Q (?i)\n"}});
  CHECK(pattern("/<A>b/", config, true) == "[a4]b b");
  CHECK(pattern("/<A>b/", config, false) == "<A>b b");
  CHECK(pattern("/<inter SP><A><A>b<A>/", config, true) == "[a4]\\s?[a4]b[a4] b");
  CHECK(pattern("/<post P2><A>/", config, true) == "[a4]{1,2} b");
  CHECK(pattern("/<NEST>/", config, true) == "x[a4] b");
  CHECK(pattern("/<B>/", config, true) == "<B> b");
  auto loop = read_config({{"a.cf", "replace_tag L <L><L>\n"}});
  CHECK(replace_tags("<L>", loop).size() <= 16'384);
}

TEST_CASE("conditions choose what is read") {
  auto made = import(R"(ifplugin Mail::SpamAssassin::Plugin::ReplaceTags
body A /a/
else
body B /b/
endif
if !plugin(Mail::SpamAssassin::Plugin::DCC) && (version >= 3.004002)
body C /c/
  if can(Mail::SpamAssassin::Conf::feature_capture_rules)
body D /d/
  endif
endif
if (something new)
body E /e/
endif
lang de describe A Deutsch
body F /f/
)");
  CHECK(has(made, "\"A\""));
  CHECK(has(made, "\"C\""));
  CHECK(has(made, "\"F\""));
  for (const char* gone : {"\"B\"", "\"D\"", "\"E\""}) CHECK_FALSE(has(made, gone));
  CHECK_FALSE(has(made, "Deutsch"));
  CHECK(left(made).find("a.cf:12 if (something new): the condition is not understood") != std::string::npos);
  CHECK(condition("version < 4.0") == false);
  CHECK(condition("local_tests_only || perl_version > 5.010") == true);
  CHECK_FALSE(condition("version").has_value());
  CHECK_FALSE(condition("plugin(X").has_value());
  CHECK_FALSE(condition(std::string(1000, '(')).has_value());
}

TEST_CASE("SpamAssassin's functions become facts where there are such") {
  CHECK(*translate_eval("check_for_spf_pass()") == "mail.spf.result == \"pass\"");
  CHECK(*translate_eval("check_header_count_range('Received', '0', \"2\")") == "sa.between(#mail.header(\"Received\"), 0, 2)");
  CHECK(*translate_eval("check_for_shifted_date('-6', '-3')") == "sa.shifted_date(mail, -6, -3)");
  CHECK(*translate_eval("check_for_shifted_date('96', 'undef')") == "sa.shifted_date(mail, 96, nil)");
  for (const char* call : {"check_rbl('zen', 'zen.spamhaus.org.')", "what()", "check_header_count_range('a\"]', '0', '2')", "check_for_shifted_date('os.exit()', '1')", "("}) {
    CAPTURE(call);
    CHECK_FALSE(translate_eval(call).has_value());
  }
}

TEST_CASE("wrong lines are listed with their place and reason") {
  auto made = import("score A x\nscore B 1 2\nbody 9X /a/\nheader H Subject like /a/\nheader I ALL-EXTERNAL =~ /a/\nheader J Sub ject =~ /x/\nendif\nbody K /(/\nbody L eval:what()\nheader M From:rot =~ /x/\n");
  auto list = left(made);
  INFO(list);
  for (const char* what : {"a.cf:1 score A: \"x\" is no number", "a.cf:2 score B: it has neither one value nor four", "a.cf:3 9X: it is no name of a rule", "a.cf:4 H: it is neither =~ nor !~",
                           "a.cf:5 I: the header as one relay saw it is not kept", "a.cf:7 endif: there is no if before it", "a.cf:8 K: pattern", "a.cf:9 L: eval:what has no equal here", "a.cf:10 M: \":rot\" of a header field is not known"}) {
    CAPTURE(what);
    CHECK(list.find(what) != std::string::npos);
  }
  CHECK(made.lua.empty());
}

TEST_CASE("texts that would end Lua's strings stay inside of them") {
  auto made = import("body A /a]]b\\.\"\\]=]x\"/\ndescribe A a\\\"b\\\nheader B Subject =~ /x/ [if-unset: \"]]\\]\n");
  INFO(made.lua);
  CHECK(has(made, "[==[a]]b\\.\"\\]=]x\"]==]"));
  CHECK(has(made, "\"a\\\\\\\"b\\\\\""));
  CHECK(has(made, "unset = \"\\\"]]\\\\\""));
}

TEST_CASE("a test is derived where a text that matches is plain") {
  auto made = import("body A /\\bfree (?:money|lunch)s?\\b\\s.{2}\\d/i\ndescribe A Free\nheader B Subject =~ /^win[ner]{2} x$/\nbody C /(?<!a)b(?=c)/\n");
  CHECK(has(made, "given = { text = \"free money aa7\" }"));
  CHECK(has(made, "why = \"A: Free\""));
  CHECK(has(made, "given = { subject = \"winnn x\" }"));
  CHECK(made.figures.tests == 2);
  ImportOptions none;
  none.tests = 0;
  CHECK_FALSE(has(import("body A /abc/\n", none), "\ntest \""));
}

TEST_CASE("hostile files cost no more than their length") {
  CHECK(testing::grows_with_its_length([](std::size_t size) { import("meta A " + std::string(size, '(')); }, 20'000));
  CHECK(testing::grows_with_its_length([](std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += "meta M" + std::to_string(i) + " M" + std::to_string(i + 1) + " && M" + std::to_string(i / 2) + "\n";
    import(text);
  }, 1'000));
  std::string many;
  for (int i = 0; i < 21'000; ++i) many += "score R" + std::to_string(i) + " 1\n";
  CHECK(left(import(many)).find("more than 20000 rules") != std::string::npos);
  CHECK(left(import("body A /" + std::string(70'000, 'a') + "/\n")).find("a line: it is longer") != std::string::npos);
  std::string nested;
  for (int i = 0; i < 50; ++i) nested += "if version > 1\n";
  CHECK(left(import(nested)).find("more than 32 conditions") != std::string::npos);
}
