// Dates of header fields.
#include "gateway/mail/date.h"

#include <string>

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("dates are read as RFC 5322 and careless senders write them") {
  struct Case { const char* text; const char* utc; bool proper; };
  const Case cases[] = {
      {"Tue, 24 Nov 2026 03:59:02 +0000", "2026-11-24T03:59:02Z", true},
      {" Tue, 24 Nov 2026\r\n 10:59:02 +0700 (ICT)", "2026-11-24T03:59:02Z", true},
      {"24 Nov 2026 03:59 -0330", "2026-11-24T07:29:00Z", true},
      {"Fri, 23 Aug 2002 03:13:31 EDT", "2002-08-23T07:13:31Z", true},
      {"Tue, 24 Nov 26 03:59:02 GMT", "2026-11-24T03:59:02Z", false},
      {"24 Nov 99 03:59:02 GMT", "1999-11-24T03:59:02Z", false},
      {"Tue Nov 24 03:59:02 2026", "2026-11-24T03:59:02Z", false},
      {"Tue, 24-Nov-2026 03:59:02 UTC", "2026-11-24T03:59:02Z", false},
      {"Tuesday, 24 November 2026 03:59:02 +0000", "2026-11-24T03:59:02Z", false},
      {"24 Nov 2026 03:59:02", "2026-11-24T03:59:02Z", false},
      {"Sun, 29 Feb 2004 23:59:60 +0000", "2004-03-01T00:00:00Z", true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    auto date = parse_date(c.text);
    REQUIRE(date);
    CHECK(rfc3339(date->when) == c.utc);
    CHECK(date->proper == c.proper);
    CHECK(date->weekday_right);
  }
}

TEST_CASE("what names no day or time is no date") {
  for (const char* text : {"", "yesterday", "Tue, 24 Nov 2026", "31 Feb 2026 10:00 +0000", "24 Nov 2026 25:00:00 +0000", "24 Nov 2026 10:61 +0000",
                           "32 Nov 2026 10:00 +0000", "Nov 2026 10:00", "(24 Nov 2026 10:00 +0000)", "24 Nov 99999999999999999999 10:00", ":", "0", "1 1 1:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text));
  }
  CHECK_FALSE(parse_date(std::string(300, ' ') + "24 Nov 2026 03:59:02 +0000"));
}

TEST_CASE("zones and weekdays that cannot be are told") {
  auto odd = parse_date("Mon, 24 Nov 2026 03:59:02 +2500");
  REQUIRE(odd);
  CHECK_FALSE(odd->weekday_right);
  CHECK_FALSE(odd->zone_possible);
  CHECK_FALSE(odd->zone_known);
  CHECK(odd->zone_minutes == 0);
  CHECK_FALSE(parse_date("24 Nov 2026 03:59:02 +0075")->zone_possible);
  auto unsaid = parse_date("24 Nov 2026 03:59:02 -0000");
  CHECK(unsaid->zone_possible);
  CHECK_FALSE(unsaid->zone_known);
  CHECK(parse_date("24 Nov 2026 03:59:02 -0800")->zone_minutes == -480);
}
