// Mailbox names: modified UTF-7, INBOX, patterns.  RFC 3501 5.1.
#include "gateway/imap/mailbox_name.h"
#include "tests/support/catch.h"

using namespace postern::imap;

TEST_CASE("names survive the way to modified UTF-7 and back") {
  struct Case {
    std::string utf8, wire;
  };
  // The RFC's examples, '&', characters beyond the BMP, and shifts of one, two and three units.
  const Case cases[] = {{"INBOX", "INBOX"},
                        {"~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
                        {"A&B", "A&-B"},
                        {"&", "&-"},
                        {"Entw\u00fcrfe", "Entw&APw-rfe"},
                        {"\u263a!", "&Jjo-!"},
                        {"\U0001F600", "&2D3eAA-"},
                        {"\u00e9&\u00e9", "&AOk-&-&AOk-"},
                        {"a\tb", "a&AAk-b"},
                        {"Th\u01b0 r\u00e1c", "Th&AbA- r&AOE-c"},
                        {"", ""}};
  for (const auto& c : cases) {
    CHECK(encode_utf7(c.utf8) == c.wire);
    CHECK(decode_utf7(c.wire) == c.utf8);
  }
}

TEST_CASE("what is not canonical modified UTF-7 is no name") {
  for (std::string wire : {"&", "a&", "&Jjo", "&Jjo!", "&AGE-", "&AGEAYg-", "&AOk-&AOk-", "&AOk=-", "&AO/-", "&A-", "&AA-", "&AOl-", "&2D0-",
                           "&3gA-", "&2D0AQQ-", "Entw\xc3\xbcrfe", "a\tb", "a\x7f", "&AAAAAAA-"}) {
    INFO(wire);
    CHECK_FALSE(decode_utf7(wire));
  }
  CHECK_FALSE(decode_utf7(std::string("a\0b", 3)));
}

TEST_CASE("INBOX is case-blind, its likes are not") {
  CHECK(with_inbox("inbox") == "INBOX");
  CHECK(with_inbox("InBox/Sub") == "INBOX/Sub");
  CHECK(with_inbox("inboxes") == "inboxes");
  CHECK(with_inbox("a/inbox") == "a/inbox");
}

TEST_CASE("patterns match as LIST wants") {
  struct Case {
    std::string pattern, name;
    bool match;
  };
  const Case cases[] = {{"*", "a/b/c", true},   {"%", "a", true},         {"%", "a/b", false},  {"a/%", "a/b", true},    {"a/%", "a/b/c", false},
                        {"a*c", "a/b/c", true}, {"%/%", "a/b", true},     {"inbox", "INBOX", true}, {"inb*", "INBOX", false}, {"a", "A", false},
                        {"", "a", false},       {"**%%**", "a/b", true},  {"*b", "a/b", true},  {"%b", "a/b", false},    {"inbox/%", "INBOX/x", true}};
  for (const auto& c : cases) {
    INFO(c.pattern + " " + c.name);
    CHECK(matches(c.pattern, c.name) == c.match);
  }
  CHECK_FALSE(matches("ab*", "acb"));
  // No exponential walk.
  CHECK_FALSE(matches(std::string(500, '*') + "b", std::string(1000, 'a')));
}
