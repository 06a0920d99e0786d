// The automaton in front of the patterns: it may only rule out what PCRE2 does not find either.
#include "filters/regex_set.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <atomic>
#include <random>
#include <sstream>
#include <thread>

#include "filters/regex_shape.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

using Patterns = std::vector<std::shared_ptr<const Regex>>;

std::shared_ptr<const Regex> pattern(std::string_view text, std::string_view flags = "") {
  auto made = Regex::compile(text, flags);
  INFO(text);
  REQUIRE(made.has_value());
  return *made;
}

// Every answer of the set against PCRE2's own; gives how many patterns were ruled out.
std::size_t compare(const PatternSet& set, std::string_view text) {
  std::size_t ruled_out = 0;
  auto found = set.scan(text);
  for (std::size_t i = 0; i < set.members().size(); ++i) {
    if (found.may_match(i)) continue;
    ++ruled_out;
    const Regex& regex = *set.members()[i].regex;
    RegexMatch match;
    auto outcome = regex.search(text, 0, &match);
    if (outcome == Regex::Outcome::match) {
      INFO("pattern " << regex.pattern() << " flags " << regex.flags() << " text " << std::string(text.substr(0, 300)));
      CHECK(outcome == Regex::Outcome::no_match);
    }
  }
  return ruled_out;
}

PatternSet::Part part_of(std::string_view text, std::string_view flags = "") {
  return PatternSet::compile({pattern(text, flags)})->members()[0].part;
}

struct Written { const char* text; const char* flags = ""; };
const Written kWritten[] = {
    {"viagra", "i"}, {"^Subject"}, {"^Subject", "m"}, {"end$"}, {"end$", "m"}, {"\\Aend"}, {"end\\z"}, {"end\\Z"}, {"\\bcaf\\b"}, {"\\bcafé\\b"},
    {"caf\\B"}, {"\\Bé"}, {"a.b"}, {"a.b", "s"}, {"a[^b]c"}, {"a\\sb"}, {"a\\Sb"}, {"\\d{3,5}-\\d+"}, {"[[:alpha:]]+7"}, {"\\w+@\\w+\\.\\w{2,3}"},
    {"(?<=price )\\d+"}, {"(?<!no )risk"}, {"free(?= money)"}, {"free(?! money)"}, {"^(?=.*alpha)(?=.*beta)", "s"}, {"(\\w)\\1\\1"}, {"(?P<n>a+)b(?P=n)"},
    {"(?>a+)b"}, {"a++b"}, {"[ab]*+c"}, {"(?i)mIxEd"}, {"pre(?i:FIX)end"}, {"(?s:a.b)c"}, {"a b # c", "x"}, {"[ #]x", "x"}, {"\\Qa.b\\E\\d"},
    {"\\x41\\x{42}"}, {"\\x{e9}"}, {"\\101"}, {"é", "i"}, {"[à-ỹ]+x", "i"}, {"việt nam", "i"}, {"straße", "i"}, {"[^é]f", "i"}, {"\\h\\w"}, {"\\v\\w"}, {"\\R\\w"},
    {"\\N+x"}, {"x{,3}y"}, {"x{0}y"}, {"(?:ab){2,4}"}, {"(a|b|)c"}, {"\\p{Lu}x"}, {"\\X"}, {"a\\Kb"}, {"(?|(a)|(b))c"}, {"(?(?=a)ab|c)d"}, {"(a)?(?(1)b|c)"},
    {"(?#note)x"}, {"(?<y>\\d{4})-(?<m>\\d\\d)"}, {"[\\d\\-x]z"}, {"[]a]b"}, {"[^]a]b"}, {"\\W\\b"}, {"k", "i"}, {"s\\b", "i"}, {"(?xx)[a b]c"}, {"(?^i:a)b"},
    {"a|\\bb|^c"}, {"a*"}, {"(?:)"}, {"\\bfoo\\b.{0,40}\\bbar\\b", "is"}, {"[\\x80-\\xff]", "b"}, {"\\xc3\\xa9", "b"}, {"caf.{2}$", "b"}, {"É", "bi"},
    {"(?:[a-z]{1,20} ){1,10}end", "i"}, {"$^"}, {"\\n\\n"}, {"^$", "m"}, {"[[:<:]]a"}, {"a[[:>:]]"}, {"(?R)?x"}, {"(?1)(a)"}, {"(*UCP)\\bé"}, {"\\Ax\\z", "m"}, {"[\\s\\S]{3}q"}, {"a.{0,20}b"}, {"x[^c]{9}y"}, {"\\x{10}{9}a"}, {"\\Qx{9}\\E"}, {"[{9}]a"}, {"(?:ab{2,9}){1,12}c"}, {"x{12,}"}, {"(?<!x{9})y"}, {"(?m)^b"},
};

const std::vector<std::string>& texts() {
  static const std::vector<std::string> kTexts{
      "", "a", "\n", "end", "end\n", "end\n\n", "x\nSubject: VIAGRA\nend\nx", "café", "le café est", "CAFÉ", "caf", "aéb", "a\nb", "a\xff""b", "a\xe2\x82""c", "\xff""end", "end\xff",
      "price 5", "no risk", "risk", "free money", "free lunch", "beta alpha", "aaa", "aabaa", "aab", "ab # c", "abc", "ab", " x", "a.b7", "AB", "\xc3\xa9", "\xe9", "VIỆT NAM", "STRASSE",
      "stra\xe1\xba\x9e""e", "éf", "Éf", "\xc2\xa0x", "\xe2\x80\xa8x", "\x0bx", "\r\nx", "x{,3}y", "abababab", "c", "Ax", "bc", "abd", "cd", "2026-12", "-z", "]b", "é!", "\xe2\x84\xaa", "\xc5\xbf",
      "\xc5\xbf!", "foo and then\nBAR", "a b c end", "\n\n", "xq\nq", "b\nb", "x", "aa", std::string("a\0b", 3), "\xed\xa0\x80x", "\xf4\x90\x80\x80x", "\xffx\n", "\n\xff", "c\xff", "d\n\xff""c", "caf\xff", "mixed prefixend",
      "a12345678901234567890b", "a123456789012345678901b", "x123456789y", "x12345678y", "xxxxxxxxxxxx", "abbabbbc", "x{9}", "9a", "\x10\x10\x10\x10\x10\x10\x10\x10\x10""a"};
  return kTexts;
}

Patterns written() {
  Patterns out;
  for (const Written& one : kWritten) out.push_back(pattern(one.text, one.flags));
  return out;
}

// Random patterns and texts out of the same pieces, so that they meet.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::string pattern(int depth = 0) {
    std::string out;
    for (std::size_t i = 0, count = 2 + below(4); i < count; ++i) {
      std::string atom = this->atom(depth);
      if (below(5) == 0) atom += pick({"?", "*", "+", "+", "{2}", "{1,3}", "{0,2}", "{2,9}", "{8}", "+?", "*?", "++"});
      out += atom;
    }
    if (depth < 2 && below(6) == 0) out += "|" + pattern(depth + 1);
    return out;
  }
  std::string flags() { return pick({"", "", "i", "m", "s", "ims", "x", "b", "bi", "bm"}); }
  std::string text() {
    std::string out;
    for (std::size_t i = 0, count = below(30); i < count; ++i) {
      out += pick({"a", "b", "ab", "B", "é", "É", "ệ", "k", "\xe2\x84\xaa", "s", "\xc5\xbf", " ", "\n", "-", "7", "_", "\xff", "\xe1\xbb", "\t", "\r\n", "\xc2\xa0", "aa", "x", "\xf0\x9f\x98\x80"});
    }
    return out;
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  std::string pick(std::vector<const char*> from) { return from[below(from.size())]; }
  std::string atom(int depth) {
    if (depth < 2 && below(4) == 0) return pick({"(", "(?:", "(?i:", "(?=", "(?!", "(?>"}) + group(depth);
    if (below(3) != 0) return pick({"a", "b", "é", "ệ", "k", "s", "ab", "7 "});
    return pick({"\\b", "\\B", "^", "$", ".", "\\s", "\\S", "\\w", "\\W", "\\d", "[ab]", "[^a]", "[é-ỹ]", "[^é]", "-", "7", " ", "\\n", "\\h", "\\A", "\\z", "\\Z", "\\xe9", "x"});
  }
  std::string group(int depth) { return pattern(depth + 1) + ")"; }

  std::mt19937 random_;
};

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("the set rules out nothing that PCRE2 finds") {
  auto set = PatternSet::compile(written());
  std::size_t ruled_out = 0;
  for (const auto& text : texts()) ruled_out += compare(*set, text);
  CHECK(ruled_out > texts().size() * std::size(kWritten) / 2);
}

TEST_CASE("nor does it with random patterns on random texts") {
  Maker maker(7);
  Patterns patterns;
  while (patterns.size() < 600) {
    std::string flags = maker.flags();
    auto made = Regex::compile(maker.pattern(), flags);
    if (made) patterns.push_back(*made);
  }
  auto set = PatternSet::compile(patterns);
  CHECK(set->figures().whole > 200);
  CHECK(set->figures().approximated > 30);
  std::size_t ruled_out = 0;
  for (int i = 0; i < 400; ++i) ruled_out += compare(*set, maker.text());
  CHECK(ruled_out > 20'000);
}

TEST_CASE("nor does it with real mail") {
  const char* suites = std::getenv("POSTERN_SUITES");
  std::filesystem::path corpus = std::filesystem::path(suites != nullptr ? suites : "../shared/suites").parent_path() / "corpus";
  std::error_code trouble;
  auto set = PatternSet::compile(written());
  std::size_t files = 0;
  for (std::filesystem::recursive_directory_iterator entry(corpus, trouble); !trouble && files < 300 && entry != std::filesystem::recursive_directory_iterator(); entry.increment(trouble)) {
    if (!entry->is_regular_file() || entry->file_size() > 200'000 || entry->path().filename().string().back() % 4 != 0) continue;
    compare(*set, file_text(entry->path()));
    ++files;
  }
  if (files == 0) std::cout << "SKIPPED: no corpus at " << corpus << "\n";
}

// What is not left out for the age of its tables must be read alike: each letter, each way.
TEST_CASE("both know the same pairs of upper and lower case") {
  auto utf8 = [](char32_t c) {
    std::string out;
    if (c < 0x80) return std::string(1, static_cast<char>(c));
    if (c < 0x800) out += static_cast<char>(0xc0 | c >> 6);
    else out += static_cast<char>(0xe0 | c >> 12), out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    return out += static_cast<char>(0x80 | (c & 0x3f));
  };
  Patterns patterns;
  for (char32_t c = 'A'; c < 0x2000; ++c) {
    if (c == 0x240) c = 0x2c0;
    if (c == 0x500) c = 0x1e00;
    if (c < 0x80 && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z')) continue;
    patterns.push_back(pattern(utf8(c), "i"));
  }
  auto set = PatternSet::compile(patterns);
  REQUIRE(set->figures().whole == patterns.size());
  std::string everything;
  for (char32_t c = 0x21; c < 0xffff; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string one = utf8(c);
    auto found = set->scan(one);
    bool further_cyrillic = c >= 0x1c80 && c <= 0x1c88;    // any Cyrillic pattern may match there
    for (std::size_t i = 0; i < patterns.size() && !further_cyrillic; ++i) {
      if (!found.may_match(i) || patterns[i]->pattern() == one) continue;
      // Else [^x] of the automaton would be less than PCRE2's.
      INFO(patterns[i]->pattern() << " and " << one);
      CHECK(patterns[i]->search(one, 0, nullptr) == Regex::Outcome::match);
    }
    everything += one;
  }
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    RegexMatch match;
    for (std::size_t from = 0; patterns[i]->search(everything, from, &match) == Regex::Outcome::match; from = match.groups[0].end) {
      std::string one = everything.substr(match.groups[0].begin, match.groups[0].end - match.groups[0].begin);
      INFO(patterns[i]->pattern() << " and " << one);
      if (one != patterns[i]->pattern()) ++pairs;
      CHECK(set->scan(one).may_match(i));
    }
  }
  CHECK(pairs > 900);
}

TEST_CASE("what the two read differently stays alone, and says why") {
  for (const Written& one : {Written{"\\p{Lu}x"}, {"\\X"}, {"a\\Kb"}, {"(?|(a)|(b))c"}, {"(*UCP)\\bé"}, {"(?xx)[a b]c"}, {"(?^i:a)"}, {"[[:<:]]a"}, {"a*"}, {"(?R)?x"}, {"\\R"},
                             {"\\x{10a0}", "i"}, {"(?i)ა"}, {"(?s-m:a)(?xi:Ა)"}}) {
    CAPTURE(one.text);
    auto set = PatternSet::compile({pattern(one.text, one.flags)});
    CHECK(set->members()[0].part == PatternSet::Part::alone);
    CHECK_FALSE(set->members()[0].why.empty());
    CHECK(set->scan("nothing").may_match(0));
  }
  auto large = PatternSet::compile({pattern(std::string(3'500, 'a') + "b")});
  CHECK(large->members()[0].why.find("400 are taken") != std::string::npos);
  CHECK(part_of("viagra", "i") == PatternSet::Part::whole);
  CHECK(part_of("\xc3\x89", "bi") == PatternSet::Part::whole);
  CHECK(part_of("ა") == PatternSet::Part::whole);
  for (const char* text : {"(?<=a)b", "a++b", "(a)\\1"}) {
    CAPTURE(text);
    auto set = PatternSet::compile({pattern(text)});
    CHECK(set->members()[0].part == PatternSet::Part::approximated);
    CHECK_FALSE(set->members()[0].why.empty());
    CHECK_FALSE(set->scan("nothing").may_match(0));
  }
}

TEST_CASE("without a fit processor everything may match, and it is said") {
  auto set = PatternSet::compile(written(), PatternSet::Limits(), PatternSet::Engine::never);
  CHECK(set->figures().alone == std::size(kWritten));
  CHECK(set->problem().find("processor") != std::string::npos);
  auto found = set->scan("zzz");
  for (std::size_t i = 0; i < std::size(kWritten); ++i) CHECK(found.may_match(i));
  CHECK(PatternSet::compile(written())->problem().empty());
}

TEST_CASE("what a set may take is bounded, and what is beyond stays alone") {
  Patterns patterns;
  for (int i = 0; i < 200; ++i) patterns.push_back(pattern("word" + std::to_string(i) + "x\\d{1,20}y"));
  PatternSet::Limits few;
  few.patterns = 50;
  auto set = PatternSet::compile(patterns, few, PatternSet::Engine::if_fit);
  CHECK(set->figures().whole == 50);
  CHECK(set->members()[50].why.find("more than 50") != std::string::npos);

  PatternSet::Limits small;
  small.database = PatternSet::compile(patterns)->figures().database / 4;
  set = PatternSet::compile(patterns, small, PatternSet::Engine::if_fit);
  CHECK(set->figures().database <= small.database);
  CHECK(set->figures().whole >= 25);
  CHECK(set->figures().alone >= 100);
  CHECK(set->members()[199].why.find("memory") != std::string::npos);
  CHECK_FALSE(set->scan("word7x").may_match(7));
  CHECK(set->scan("word7x1y").may_match(7));

  PatternSet::Limits narrow;
  narrow.scratch = 1;
  CHECK(PatternSet::compile(patterns, narrow, PatternSet::Engine::if_fit)->figures().alone == 200);
  PatternSet::Limits hasty;
  hasty.compile = std::chrono::milliseconds(0);
  set = PatternSet::compile(patterns, hasty, PatternSet::Engine::if_fit);
  CHECK(set->figures().alone == 200);
  CHECK(set->members()[0].why.find("time") != std::string::npos);

  PatternSet::Limits narrow_text;
  narrow_text.text = 10;
  set = PatternSet::compile(patterns, narrow_text, PatternSet::Engine::if_fit);
  CHECK_FALSE(set->scan("1234567890").may_match(0));
  CHECK(set->scan("12345678901").may_match(0));
}

TEST_CASE("positions of a pattern are counted with its repeats") {
  struct Case { const char* text; std::size_t least, most; };
  for (const Case& c : {Case{"abc", 3, 5}, {"(ab){1,50}", 100, 110}, {"(?:[a-z]{1,40} ){1,60}", 2460, 2600}, {"a{3}{4}", 12, 15}, {"\\{5}", 3, 5}, {"[]{9}]{5}", 1, 12}, {"x{,3}y", 5, 8},
                        {"((((a{99}){99}){99}){99}){99}", 1'000'000, 1'000'000}, {"a{99999999999999999999}", 1'000'000, 1'000'000}, {"", 0, 1}, {"a)", 1, 4}, {"[[:alpha:]]{7}", 7, 9}}) {
    CAPTURE(c.text);
    CHECK(written_out(c.text) >= c.least);
    CHECK(written_out(c.text) <= c.most);
  }
}

TEST_CASE("patterns that would cost an automaton seconds are compiled in time") {
  const char* dear[] = {"(?:[a-z]{1,40} ){1,60}end", "(?:a?){1000}b", "(.{1,30}x){1,30}", "[ab]*a[ab]{900}c", "(a|b|c|d|e){1,400}f.{0,400}g", "(?:.{0,50}a.{0,50}b){1,25}"};
  Patterns patterns;
  for (const char* text : dear) patterns.push_back(pattern(text, "is"));
  std::shared_ptr<const PatternSet> set;
  auto took = testing::thread_time([&] { set = PatternSet::compile(patterns); });
  CHECK(took < postern::testing::out_of_bounds(std::chrono::seconds(10)));
  CHECK(set->figures().database < (8U << 20));
  compare(*set, "the quick brown fox end aab abaab");
}

TEST_CASE("a pass costs as much as its text is long, whatever the text") {
  auto set = PatternSet::compile(written());
  auto scan = [&](std::size_t size) {
    std::string text;
    while (text.size() < size) text += "aaab a.b \xff(((é";
    set->scan(text);
  };
  CHECK(testing::grows_with_its_length(scan, 500'000));
}

TEST_CASE("many threads scan with one set at a time") {
  auto set = PatternSet::compile(written());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        if (!set->scan("le café viagra").may_match(0) || set->scan("nothing").may_match(0)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a pattern is found by its number") {
  auto patterns = written();
  auto set = PatternSet::compile(patterns);
  CHECK(set->number(*patterns[5]) == 5);
  CHECK(set->number(*pattern("other")) == PatternSet::npos);
}
