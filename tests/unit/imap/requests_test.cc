// FETCH items, SEARCH keys and LIST options; each command cut at every octet.
#include "gateway/base/text.h"
#include "gateway/imap/fetch_items.h"
#include "gateway/imap/list.h"
#include "gateway/imap/message_octets.h"
#include "gateway/imap/search_key.h"
#include "gateway/imap/search_match.h"
#include "gateway/mail/envelope.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::imap;

namespace {

Result<FetchItems> fetch(std::string_view text) {
  Parser parser(text);
  return parse_fetch_items(parser);
}

Result<SearchProgram> search(std::string_view text) {
  Parser parser(text);
  return parse_search(parser);
}

Truth judge(std::string_view keys, const Candidate& candidate, const SearchContext& context) {
  auto program = search(keys);
  REQUIRE(program);
  return Matcher(program->key, context).judge(candidate);
}

}  // namespace

TEST_CASE("FETCH items are read with their sections, names and parts of octets") {
  auto items = fetch("(UID FLAGS body.peek[1.2.HEADER.FIELDS (Subject \"X Y\")]<5.10> RFC822 BODY BODYSTRUCTURE)");
  REQUIRE(items);
  CHECK(items->uid);
  CHECK(items->flags);
  CHECK(items->body);
  CHECK(items->body_structure);
  CHECK(items->sets_seen());
  REQUIRE(items->sections.size() == 2);
  CHECK(items->sections[0].label == "BODY[1.2.HEADER.FIELDS (Subject \"X Y\")]<5>");
  CHECK(items->sections[0].part == "1.2");
  CHECK(items->sections[0].partial == std::pair(5u, 10u));
  CHECK(items->sections[0].peek);
  CHECK(fetch("ALL")->envelope);
  CHECK(fetch("full")->body);
  CHECK(fetch("FAST")->index_only());
  CHECK_FALSE(fetch("RFC822.HEADER")->sets_seen());
  for (std::string text : {"", "()", "(ALL)", "FLAGS UID", "BODY[", "BODY[]<1>", "BODY[]<1.0>", "BODY[1..2]", "BODY[.1]", "BODY[0]", "BODY[1.0]",
                           "BODY[HEADER.FIELDS]", "BODY[HEADER.FIELDS ()]", "BODY[MIME]", "BODY[FROB]", "BODY.PEEK", "RFC822.FROB", "(FLAGS )",
                           "BODY[]<4294967296.1>", "BODY[1234567890]", "(UID  FLAGS)"}) {
    INFO(text);
    CHECK_FALSE(fetch(text));
  }
}

TEST_CASE("a FETCH cut at any octet is refused, never misread") {
  std::string whole = "(UID BODY.PEEK[1.HEADER.FIELDS.NOT (A {1}\r\nB)]<0.10> FLAGS)";
  REQUIRE(fetch(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK_FALSE(fetch(whole.substr(0, length)));
}

TEST_CASE("a SEARCH cut at any octet is refused or shorter, never a crash") {
  std::string whole = "CHARSET UTF-8 (OR FROM \"a\" NOT (KEYWORD x SINCE 1-Feb-2020)) HEADER X {2}\r\nab UID 1:5,*";
  REQUIRE(search(whole));
  std::size_t read = 0;
  for (std::size_t length = 0; length < whole.size(); ++length) read += search(whole.substr(0, length)) ? 1 : 0;
  // What can be cut and still be a command: behind the list, behind the literal, and twice inside the last set.
  CHECK(read == 4);
}

TEST_CASE("SEARCH is bounded in depth and number of keys") {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "NOT ";
  CHECK_FALSE(search(deep + "ALL"));
  CHECK_FALSE(search(std::string(100, '(') + "ALL" + std::string(100, ')')));
  std::string wide = "ALL";
  for (std::size_t i = 0; i < kMaxSearchKeys; ++i) wide += " ALL";
  CHECK_FALSE(search(wide));
}

TEST_CASE("SEARCH takes few keys that go through all of a message") {
  std::string few = "TEXT a";
  for (std::size_t i = 1; i < kMaxTextKeys; ++i) few += " OR BODY a SUBJECT a";
  CHECK(search(few));
  auto many = search(few + " NOT TEXT b");
  REQUIRE_FALSE(many);
  CHECK(many.error().text == "SEARCH: takes 20 BODY and TEXT keys at most");
}

TEST_CASE("SEARCH keys are judged from the least that decides them") {
  SearchContext context;
  context.exists = 10;
  context.last_uid = 100;
  context.keywords = {"$Work"};
  Candidate candidate;
  candidate.entry.uid = 50;
  candidate.entry.flags = store::flag::seen;
  candidate.entry.keywords = 1;
  candidate.entry.size = 1000;
  candidate.entry.internal_date = 86400 * 3 + 5;
  candidate.sequence = 7;
  candidate.recent = true;
  for (std::string yes : {"ALL", "SEEN", "UNDELETED", "KEYWORD $work", "UNKEYWORD x", "5:8", "UID 50,60", "*:7", "ON 4-Jan-1970", "SINCE 4-Jan-1970",
                          "BEFORE 5-Jan-1970", "LARGER 999", "SMALLER 1001", "RECENT", "OR SEEN BODY x", "NOT DELETED", "(SEEN 7)", "NOT NEW"}) {
    INFO(yes);
    CHECK(judge(yes, candidate, context) == Truth::yes);
  }
  for (std::string no : {"UNSEEN", "DELETED BODY x", "OLD", "NEW", "8:*", "UID 51:*", "BEFORE 4-Jan-1970", "LARGER 1000", "NOT ALL", "KEYWORD x"}) {
    INFO(no);
    CHECK(judge(no, candidate, context) == Truth::no);
  }
  for (std::string unknown : {"BODY x", "FROM x SEEN", "OR UNSEEN HEADER a b", "NOT TEXT x", "SENTON 1-Jan-2020"}) {
    INFO(unknown);
    CHECK(judge(unknown, candidate, context) == Truth::unknown);
  }
  candidate.loaded = 3;
  candidate.envelope = mail::envelope_of("From: =?utf-8?q?=C3=84rger?= <x@y>\r\nDate: 1 Feb 99 10:00 +0200\r\n\r\n");
  candidate.header = "X-Spam: YES\r\nX-Spam: no\r\n\r\n";
  candidate.texts = {"some text"};
  for (std::string yes : {"FROM {6+}\r\n\xc3\x84rger", "FROM arger", "SENTON 1-Feb-1999", "HEADER x-spam yes", "HEADER X-Spam \"\"", "BODY TEXT",
                          "TEXT \"some text\"", "SENTSINCE 1-Jan-1999", "NOT SUBJECT x", "FROM \"\""}) {
    INFO(yes);
    CHECK(judge(yes, candidate, context) == Truth::yes);
  }
  CHECK(judge("HEADER X-Other \"\"", candidate, context) == Truth::no);
  CHECK(judge("SUBJECT \"\"", candidate, context) == Truth::no);
}

TEST_CASE("a Date field gives its day as written") {
  CHECK(header_day("Tue, 24 Nov 2026 23:59:02 -0800") == day_number(2026, 11, 24));
  CHECK(header_day("24 Nov 26 23:59 PST") == day_number(2026, 11, 24));
  CHECK(header_day("Tue,24 nov 1999 1:1") == day_number(1999, 11, 24));
  CHECK_FALSE(header_day("yesterday"));
  CHECK_FALSE(header_day("31 Feb 2026"));
  CHECK_FALSE(header_day(""));
}

TEST_CASE("LIST options are read and unknown ones refused") {
  auto list_of = [](std::string_view text) {
    Parser parser(text);
    return parse_list(parser);
  };
  CHECK(list_of("(SUBSCRIBED RECURSIVEMATCH) \"\" (a %) RETURN (CHILDREN SPECIAL-USE)")->patterns.size() == 2);
  CHECK(list_of("\"\" %")->extended == false);
  CHECK(list_of("\"\" &&")->patterns.empty());
  for (std::string text : {"", "\"\"", "(FROB) \"\" *", "(RECURSIVEMATCH) \"\" *", "\"\" ()", "\"\" * RETURN", "\"\" * RETURN (FROB)", "\"\" *  x"}) {
    INFO(text);
    CHECK_FALSE(list_of(text));
  }
}

TEST_CASE("LIST bounds what every name is held against") {
  auto error_of = [](const std::string& text) {
    Parser parser(text);
    auto request = parse_list(parser);
    return request ? std::string() : request.error().text;
  };
  std::string name(500, 'a');
  CHECK(error_of(name + " " + name).empty());
  CHECK(error_of(name + " " + name + "a") == "the reference and a pattern may have 1000 octets together");
  CHECK(error_of("\"\" (" + name + " " + name + " " + name + ")").empty());
  std::string nine = "%";
  for (int i = 0; i < 8; ++i) nine += " %";
  CHECK(error_of(name + " (" + nine + ")") == "the patterns, each with the reference, may have 4096 octets together");
}

TEST_CASE("LSUB shows the parent of a subscribed name where '%' stops") {
  ListRequest request;
  request.patterns = {"%"};
  std::map<std::string, bool> shown;
  for (std::string name : {"a/b/c", "d"}) add_lsub(request, name, shown);
  CHECK(shown == std::map<std::string, bool>{{"a", false}, {"d", true}});
}

TEST_CASE("parts of an extent are cut at its end") {
  Section section;
  CHECK(cut({10, 20}, section).size() == 10);
  section.partial.emplace(5u, 100u);
  CHECK(cut({10, 20}, section).begin == 15);
  CHECK(cut({10, 20}, section).size() == 5);
  section.partial.emplace(50u, 1u);
  CHECK(cut({10, 20}, section).size() == 0);
  section.partial.emplace(4294967295u, 4294967295u);
  CHECK(cut({10, 20}, section).size() == 0);
}
