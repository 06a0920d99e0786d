// Received fields in the dialects of the mail servers.
#include "filters/received_chain.h"

#include "gateway/base/clock.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

TEST_CASE("a hop is read in the dialects of the common servers") {
  struct Case { const char* raw; const char* helo; const char* reverse; const char* ip; const char* by; const char* with; };
  const Case cases[] = {
      {" from a.example (b.example [192.0.2.7])\r\n\tby mx.example (Postfix) with ESMTPS id 4\r\n\tfor <c@mx.example>; Fri, 23 Aug 2002 06:02:57 -0400 (EDT)",
       "a.example", "b.example", "192.0.2.7", "mx.example", "ESMTPS"},
      {" from A.example ([192.0.2.7]:39549 helo=H.example)\n by mx.example with esmtpsa (Exim 4.92) id 1; Tue, 15 Oct 2019 05:47:48 -0400",
       "h.example", "a.example", "192.0.2.7", "mx.example", "ESMTPSA"},
      {" from unknown (HELO n19.example) (192.0.2.7) by mta2.example with SMTP; 22 Aug 2002 16:11:28 -0000", "n19.example", "", "192.0.2.7", "mta2.example", "SMTP"},
      {" from [192.0.2.7] by n8.example with NNFMP; 22 Aug 2002 16:11:29 -0000", "192.0.2.7", "", "192.0.2.7", "n8.example", "NNFMP"},
      {" from X.example (2001:db8::14) by Y.example (2001:db8::15) with Microsoft SMTP Server (version=TLS1_2) id 15; Mon, 31 Jul 2023 23:23:25 +0000",
       "x.example", "", "2001:db8::14", "y.example", "MICROSOFT"},
      {" from unknown (unknown [192.0.2.9]) by m.example with SMTP; 22 Aug 2002 16:11:28 -0000", "unknown", "", "192.0.2.9", "m.example", "SMTP"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.raw);
    Hop hop = read_hop(c.raw);
    CHECK(hop.helo == c.helo);
    CHECK(hop.reverse == c.reverse);
    CHECK((hop.ip ? hop.ip->to_string() : "") == c.ip);
    CHECK(hop.by == c.by);
    CHECK(hop.with == c.with);
    CHECK(hop.readable);
  }
  CHECK(read_hop(cases[0].raw).recipient == "c@mx.example");
  CHECK(rfc3339(read_hop(cases[0].raw).date->when) == "2002-08-23T10:02:57Z");
  CHECK(read_hop(cases[1].raw).authenticated());
  CHECK_FALSE(read_hop(cases[0].raw).authenticated());
  CHECK(read_hop(cases[5].raw).reverse_unknown);
}

TEST_CASE("what no server writes is unreadable or impossible") {
  CHECK_FALSE(read_hop("").readable);
  CHECK_FALSE(read_hop(" from a.example by b.example").readable);
  CHECK_FALSE(read_hop(" rubbish; Fri, 23 Aug 2002 06:02:57 -0400").readable);
  CHECK(read_hop(" from a.example ([300.1.2.3]) by b.example; Fri, 23 Aug 2002 06:02:57 -0400").ip_impossible);
}

TEST_CASE("names of home lines are told from names of servers") {
  for (const char* host : {"192-0-2-7.dynamic.isp.example", "ppp12.isp.example.net", "adsl-7.city.isp.example", "c-192-0-2-7.hsd1.isp.example",
                           "7.2.0.192.isp.example", "pool-12.isp.co.example"}) {
    CAPTURE(host);
    CHECK(is_dialup_name(host));
  }
  for (const char* host : {"mx1.isp.example", "mail-eopbgr30138.outbound.protection.example", "n8.grp.scd.isp.example", "pool.isp.example", "adsl.example",
                           "smtp-out2.mail.example", "", "customer.isp.example", "dynamic.example"}) {
    CAPTURE(host);
    CHECK_FALSE(is_dialup_name(host));
  }
}

TEST_CASE("of a long field the beginning is read") {
  std::string date = "; Fri, 23 Aug 2002 06:02:57 -0400";
  CHECK(read_hop(" from a.example by b.example" + date).readable);
  CHECK_FALSE(read_hop(" from a.example by b.example (" + std::string(kMaxReceived, 'x') + ")" + date).readable);
  CHECK(testing::thread_time([] { read_hop(std::string(8 << 20, '(')); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(20)));
}
