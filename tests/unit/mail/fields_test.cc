// mail: the fields that we write, and those that we cut.
#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/auth_results.h"
#include "gateway/mail/received.h"
#include "gateway/mail/strip.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("our Received field tells the protocol by RFC 3848 and RFC 6531") {
  ReceivedInfo info;
  info.helo = "client.example";
  info.client = *IpAddress::parse("192.0.2.1");
  info.client_name = "host.example";
  info.by = "mx.corp.example";
  info.id = "7Q3K2";
  info.when = from_unix(1'795'000'000);
  CHECK(received_field(info) ==
        "Received: from client.example (host.example [192.0.2.1])\r\n\tby mx.corp.example (Postern) with ESMTP id 7Q3K2;\r\n\t" +
            rfc5322_date(info.when) + "\r\n");
  info.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
  info.recipient = "u@corp.example";
  std::string field = received_field(info);
  CHECK(field.find("with ESMTPS id") != std::string::npos);
  CHECK(field.find("(TLSv1.3 TLS_AES_256_GCM_SHA384)") != std::string::npos);
  CHECK(field.find("for <u@corp.example>") != std::string::npos);
  info.authenticated = true;
  CHECK(received_field(info).find("with ESMTPSA ") != std::string::npos);
  info.utf8 = true;
  CHECK(received_field(info).find("with UTF8SMTPSA ") != std::string::npos);
  info.lmtp = true;
  CHECK(received_field(info).find("with UTF8LMTPSA ") != std::string::npos);
  info = {};
  info.extended = false;
  CHECK(received_field(info).find("with SMTP") != std::string::npos);
}

TEST_CASE("nothing that a client says can break out of the Received field") {
  ReceivedInfo info;
  info.helo = "a\r\nX-Postern-Verdict: ham (\\)\xff";
  info.client_name = "b (c)\n";
  info.recipient = "x>\r\ny";
  info.by = "mx";
  std::string field = received_field(info);
  CHECK(field.find("X-Postern-Verdict:") == std::string::npos);
  CHECK(is_utf8(field));
  for (std::size_t at = field.find('\n'); at + 1 < field.size(); at = field.find('\n', at + 1)) CHECK(field[at + 1] == '\t');
}

TEST_CASE("Received fields are counted in the header only") {
  CHECK(count_received("Received: a\r\nreceived: b\r\n c\r\nX-Received: d\r\n\r\nReceived: e\r\n") == 2);
  CHECK(count_received("") == 0);
}

TEST_CASE("authentication results are written so that they can be read back") {
  CHECK(authentication_results_field("mx.example", {}) == "Authentication-Results: mx.example; none\r\n");
  CHECK(authentication_results_field("mx.example", {{"spf", "fail", "not allowed", {{"smtp.mailfrom", "a@x.org"}, {"smtp.helo", ""}}},
                                                    {"dkim", "pass", "", {{"header.d", "x.org"}, {"header.b", "ab/c="}}}}) ==
        "Authentication-Results: mx.example;\r\n\tspf=fail reason=\"not allowed\"\r\n\t smtp.mailfrom=a@x.org;\r\n"
        "\tdkim=pass\r\n\t header.d=x.org\r\n\t header.b=\"ab/c=\"\r\n");
  std::string field = authentication_results_field("mx", {{"spf", "fail", "a\r\nb\"c\\\xff", {}}});
  CHECK(std::count(field.begin(), field.end(), '\n') == 2);
  CHECK(is_utf8(field));
}

TEST_CASE("a field in our name is recognised in every disguise") {
  for (std::string_view ours : std::initializer_list<std::string_view>{" mx.corp.example; spf=pass", "MX.Corp.Example;dkim=pass", " mx.corp.example 1; x", "(c (d)) mx.corp.example(e);",
                                "\r\n\tmx.corp.example", "\"mx.corp.example\"; x", " mx.corp.example.; x", 
                                "(a\\)b) mx.corp.example", " mx.corp.example", std::string_view("\0mx.corp.example", 16)}) {
    INFO(ours);
    CHECK(claims_authserv_id(ours, "mx.corp.example"));
  }
  for (std::string_view other : {"", " ", "mx.corp.example.org; x", "other; mx.corp.example", "(mx.corp.example) other", "(mx.corp.example"}) {
    INFO(other);
    CHECK_FALSE(claims_authserv_id(other, "mx.corp.example"));
  }
  CHECK(claims_authserv_id("xn--bcher-kva.example; x", "bücher.example"));
}

TEST_CASE("forged fields are cut and everything else stays octet for octet") {
  std::string message =
      "X-Postern-Verdict: ham\r\nX-POSTERN-why: a\r\n b\r\nFrom: a\r\nAuthentication-Results: other; spf=pass\r\n"
      "authentication-results: mx (v) 1; spf=pass\r\nX-Spam-Flag: NO\r\nX-Spam-Flags: keep\r\n\r\nX-Postern-Verdict: body\r\n";
  auto cuts = forged_fields(message, "MX");
  CHECK(cuts.size() == 2);
  CHECK(without(message, cuts) ==
        "From: a\r\nAuthentication-Results: other; spf=pass\r\nX-Spam-Flags: keep\r\n\r\nX-Postern-Verdict: body\r\n");
  CHECK(forged_fields("", "mx").empty());
  CHECK(without("X-Spam-Flag: x", forged_fields("X-Spam-Flag: x", "mx")).empty());
}

TEST_CASE("a forged field behind a hundred thousand others is cut too") {
  std::string message;
  for (int i = 0; i < 100'000; ++i) message += "X: y\r\n";
  std::string forged = message + "X-Spam-Flag: YES\r\n\r\n";
  CHECK(without(forged, forged_fields(forged, "mx")) == message + "\r\n");
}
