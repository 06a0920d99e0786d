// Reports of others: complaints (RFC 5965) and bounces (RFC 3464) as they really come, and as nobody should send them.
#include "gateway/mail/feedback.h"

#include "gateway/base/text.h"
#include "gateway/mail/dsn.h"
#include "gateway/mail/received.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

namespace {

// LF as the tests write it.
std::string crlf(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

std::string report(std::string_view type, std::string_view status_type, std::string_view status, std::string_view returned_type = "message/rfc822",
                   std::string_view returned = "Received: from x by y\nMessage-ID: <1@y>\nSubject: hi\n\nbody\n") {
  return crlf("From: <abuse@isp.example>\nTo: abuse@example.test\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=" + std::string(type) +
              ";\n\tboundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nWords.\n--b\nContent-Type: " + std::string(status_type) + "\n\n" + std::string(status) +
              "\n--b\nContent-Type: " + std::string(returned_type) + "\n\n" + std::string(returned) + "\n--b--\n");
}

std::string complaint(std::string_view fields) { return report("feedback-report", "message/feedback-report", fields); }
std::string bounce(std::string_view fields) { return report("delivery-status", "message/delivery-status", fields); }

}  // namespace

TEST_CASE("a complaint as RFC 5965 shows it is read") {
  auto got = parse_feedback(complaint(
      "Feedback-Type: Abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Mail-From: <alice@example.test>\nOriginal-Rcpt-To: <Ann@isp.example>\n"
      "Original-Rcpt-To: bob@isp.example\nArrival-Date: Thu, 8 Mar 2005 14:00:00 EDT\nSource-IP: 192.0.2.1\nReported-Domain: Example.Test\n"));
  REQUIRE(got);
  CHECK(got->kind == Feedback::Kind::complaint);
  CHECK(got->type == "abuse");
  CHECK(got->rcpt_to == std::vector<std::string>{"Ann@isp.example", "bob@isp.example"});
  CHECK(got->mail_from == "alice@example.test");
  CHECK(got->source_ip == "192.0.2.1");
  CHECK(got->arrival_date == "Thu, 8 Mar 2005 14:00:00 EDT");
  CHECK(got->domains == std::vector<std::string>{"example.test"});
  CHECK(got->header == "Received: from x by y\r\nMessage-ID: <1@y>\r\nSubject: hi\r\n");
  CHECK(message_id_of(got->header) == "<1@y>");
}

TEST_CASE("a bounce is read recipient by recipient") {
  auto got = parse_feedback(bounce(
      "Reporting-MTA: dns; mx.isp.example\nArrival-Date: Thu, 8 Mar 2005 14:00:00 +0000\n\n\n"
      "Original-Recipient: rfc822;Ann@isp.example\nFinal-Recipient: RFC822; ann+x@inner.example\nAction: Failed\nStatus: 5.1.1 (no such user)\n"
      "Remote-MTA: dns; inner.example\nDiagnostic-Code: smtp; 550 5.1.1 No such\n user here\n\nFinal-Recipient: x400; /S=ann\nAction: delayed\nStatus: 4.4\n"));
  REQUIRE(got);
  CHECK(got->kind == Feedback::Kind::delivery);
  CHECK(got->reporting_mta == "mx.isp.example");
  REQUIRE(got->recipients.size() == 2);
  const auto& first = got->recipients[0];
  CHECK(first.original == "Ann@isp.example");
  CHECK(first.final_one == "ann+x@inner.example");
  CHECK(first.action == "failed");
  CHECK(first.status == "5.1.1");
  CHECK(first.remote == "inner.example");
  CHECK(first.diagnostic == "550 5.1.1 No such user here");
  CHECK(got->recipients[1].final_one.empty());
  CHECK(got->recipients[1].status.empty());
}

TEST_CASE("what a status is, and what only looks like one") {
  const std::vector<std::pair<std::string, std::string>> kTable = {
      {"5.1.1", "5.1.1"}, {"5.1.10", "5.1.10"}, {" 4.2.2 ", "4.2.2"}, {"5.1.1 user unknown", "5.1.1"}, {"5.1", ""}, {"550", ""}, {"5.1.1.1", ""}, {"5..11", ""}, {"5.1.", ""}, {"", ""}};
  for (const auto& [given, wanted] : kTable) {
    INFO(given);
    auto got = parse_feedback(bounce("Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: " + given + "\n"));
    REQUIRE(got);
    CHECK(got->recipients.at(0).status == wanted);
  }
}

TEST_CASE("only the header of the message may come back, under any of its names, encoded or not") {
  for (std::string type : {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "message/rfc822", "message/global"}) {
    INFO(type);
    auto got = parse_feedback(report("delivery-status", "message/delivery-status", "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n", type,
                                     "Message-ID: <2@y>\nSubject: hi\n"));
    REQUIRE(got);   // the group of the message may be missing too
    CHECK(message_id_of(got->header) == "<2@y>");
  }
  auto encoded = parse_feedback(report("feedback-report", "message/feedback-report\nContent-Transfer-Encoding: base64", base64("Feedback-Type: fraud\r\n"),
                                       "text/rfc822-headers\nContent-Transfer-Encoding: base64", base64("Message-ID: <3@y>\r\n")));
  REQUIRE(encoded);
  CHECK(encoded->type == "fraud");
  CHECK(message_id_of(encoded->header) == "<3@y>");
}

TEST_CASE("what is no report is none") {
  CHECK_FALSE(is_report("Subject: hi\r\n\r\nContent-Type: multipart/report\r\n"));
  CHECK_FALSE(parse_feedback("Subject: hi\r\n\r\nbody\r\n"));
  CHECK_FALSE(parse_feedback(""));
  CHECK_FALSE(parse_feedback(crlf("Content-Type: multipart/report\n\nno boundary\n")));
  CHECK_FALSE(parse_feedback(complaint("Version: 1\n")));                                     // without its type
  CHECK_FALSE(parse_feedback(bounce("Reporting-MTA: dns; x\n")));                            // of nobody
  CHECK_FALSE(parse_feedback(report("disposition-notification", "message/disposition-notification", "Disposition: manual-action; displayed\n")));
  // A report that is itself an attachment of something else is not to be believed more than a quotation.
  auto inner = complaint("Feedback-Type: abuse\n");
  CHECK_FALSE(parse_feedback(crlf("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n") + inner + crlf("\n--o--\n")));
}

TEST_CASE("the report that we write ourselves is read back") {
  Dsn dsn;
  dsn.reporting_mta = "mx.example.test";
  dsn.to = "alice@example.test";
  dsn.id = "7Q3K2";
  dsn.now = dsn.arrival = from_unix(1'795'492'742);
  auto& who = dsn.recipients.emplace_back();
  who.address = "ann@far.example";
  who.orcpt = "rfc822;ann+2Btag@far.example";
  who.status = "5.1.1";
  who.remote = "mx.far.example";
  who.diagnostic = "550 5.1.1 No such user";
  for (bool full : {true, false}) {
    dsn.full = full;
    auto got = parse_feedback(delivery_status_notification(dsn, "Message-ID: <1@y>\r\nSubject: hi\r\n\r\nbody\r\n"));
    REQUIRE(got);
    REQUIRE(got->recipients.size() == 1);
    CHECK(got->recipients[0].original == "ann+tag@far.example");
    CHECK(got->recipients[0].final_one == "ann@far.example");
    CHECK(got->recipients[0].status == "5.1.1");
    CHECK(got->recipients[0].remote == "mx.far.example");
    CHECK(message_id_of(got->header) == "<1@y>");
  }
  dsn.utf8 = true;
  dsn.recipients[0].address = "änn@far.example";
  auto got = parse_feedback(delivery_status_notification(dsn, "Message-ID: <1@y>\r\n\r\nbody\r\n"));
  REQUIRE(got);
  CHECK(got->recipients.at(0).final_one == "änn@far.example");
}

TEST_CASE("a report without end costs no more than its bounds") {
  std::string many = "Reporting-MTA: dns; x\n\n";
  for (int i = 0; i < 5000; ++i) many += "Final-Recipient: rfc822; a" + std::to_string(i) + "@b.example\nAction: failed\nStatus: 5.1.1\n\n";
  auto got = parse_feedback(bounce(many));
  REQUIRE(got);
  CHECK(got->recipients.size() == kMaxReported);
  std::string addresses = "Feedback-Type: abuse\n";
  for (int i = 0; i < 5000; ++i) addresses += "Original-Rcpt-To: a@b.example\nReported-Domain: b.example\n";
  got = parse_feedback(complaint(addresses));
  REQUIRE(got);
  CHECK(got->rcpt_to.size() == kMaxReported);
  CHECK(got->domains.size() == kMaxReported);
  got = parse_feedback(complaint("Feedback-Type: abuse\nOriginal-Mail-From: " + std::string(100'000, 'x') + "\n"));
  REQUIRE(got);
  CHECK(got->mail_from.size() <= kMaxReportValue);
  got = parse_feedback(report("feedback-report", "message/feedback-report", "Feedback-Type: abuse\n", "message/rfc822", "X-Pad: " + std::string(500'000, 'x') + "\n\nbody\n"));
  REQUIRE(got);
  CHECK(got->header.size() <= kMaxReportHeader);
  got = parse_feedback(complaint("Feedback-Type: abuse\xff\nOriginal-Mail-From: \x1b[2J@x\n"));
  REQUIRE(got);
  CHECK(is_utf8(got->type));
  CHECK(got->mail_from.find('\x1b') == std::string::npos);
}

TEST_CASE("the ids that we gave a message are found in its header, however it was folded") {
  ReceivedInfo info;
  info.helo = "laptop";
  info.client = *IpAddress::parse("192.0.2.1");
  info.by = "mx.example.test";
  info.id = "7Q3K2M0V8RXAE";
  info.recipient = "ann@far.example";
  auto field = received_field(info);
  CHECK(ids_given_by("Received: by far.example\r\n" + field + "Subject: hi\r\n\r\n", "mx.example.test") == std::vector<std::string>{"7Q3K2M0V8RXAE"});
  info.recipient.clear();   // the id ends with a semicolon then
  CHECK(ids_given_by(received_field(info), "MX.example.test") == std::vector<std::string>{"7Q3K2M0V8RXAE"});
  CHECK(ids_given_by("Received: from a (b [192.0.2.1]) by mx.example.test\r\n (Postern) with\r\n ESMTPSA id\r\n\tABC;\r\n date\r\n", "mx.example.test") == std::vector<std::string>{"ABC"});
  CHECK(ids_given_by(field, "mx.other.test").empty());
  CHECK(ids_given_by("Received: by mx.example.test (Postern) with ESMTP id ../../x;\r\n", "mx.example.test").empty());
  CHECK(ids_given_by("X-Received: by mx.example.test (Postern) with ESMTP id ABC\r\n", "mx.example.test").empty());
  CHECK(ids_given_by("Received: by mx.example.test (Postern) with ESMTP id\r\n", "mx.example.test").empty());
  std::string many;
  for (int i = 0; i < 50; ++i) many += "Received: by mx.example.test (Postern) with ESMTP id A" + std::to_string(i) + "\r\n";
  CHECK(ids_given_by(many, "mx.example.test").size() == 8);
}
