// mail: delivery status notifications on hostile values, and what of the message they return.
#include <cstdio>
#include <fstream>

#include "tests/support/temporary_directory.h"
#include "tests/unit/mail/dsn_world.h"

using namespace postern;
using namespace postern::mail;
using namespace postern::mail::test;
using Action = DsnRecipient::Action;

namespace {

Dsn full_report() {
  auto dsn = report_on({recipient("ann@example.org")});
  dsn.full = true;
  return dsn;
}

std::string returned(const std::string& message) {
  return Report(delivery_status_notification(report_on({recipient("ann@example.org")}), message)).body(2);
}

}  // namespace

TEST_CASE("nothing foreign breaks out of its field, its part or the header") {
  const std::string evil = "a\r\n\r\n--=_7Q3K2M0V8RXAE_\r\nX-Evil: 1\n\nStatus: 2.0.0\r\x1b[2J\x7f\xff\xc2\x9b" + std::string(1, '\0') + "z";
  DsnRecipient ann;
  ann.address = ann.status = ann.remote = ann.diagnostic = ann.why = evil;
  ann.orcpt = "rfc822;ann+0D+0A+0D+0AX-Evil:+201" + evil;
  Dsn dsn = report_on({ann, ann});
  dsn.reporting_mta = dsn.to = dsn.envid = dsn.id = evil;
  for (bool utf8 : {false, true}) {
    dsn.utf8 = utf8;
    Report report(delivery_status_notification(dsn, "Message-ID: <a@b>\x1b\r\nSubject: " + evil));
    CHECK(report.field("X-Evil") == "(none)");
    CHECK(report.field("In-Reply-To") == "(none)");
    CHECK(report.field("From") == "Mail gateway <postmaster@localhost>");
    CHECK(report.field("To") == "undisclosed-recipients:;");
    CHECK(report.status(0, "X-Evil") == "(none)");
    for (std::size_t group : {1, 2}) {
      CHECK(report.status(group, "Status") == "5.0.0");
      CHECK(report.status(group, "X-Evil") == "(none)");
    }
    CHECK(report.status(3, "Status") == "(none)");
    CHECK(report.programs().find("\x1b") == std::string::npos);
    CHECK(report.people().find("\xc2\x9b") == std::string::npos);
    CHECK(is_ascii(report.programs()) == !utf8);
  }
}

TEST_CASE("the words of the remote are folded and cut") {
  auto ann = recipient("ann@example.org");
  for (int i = 0; i < 100; ++i) ann.diagnostic += "words that go on ";
  Report report(delivery_status_notification(report_on({ann}), kMessage));
  CHECK(report.status(1, "Diagnostic-Code") == "smtp; " + std::string(trimmed(ann.diagnostic)));
  std::string both = report.people() + report.programs();
  for (std::string_view line : split(both, '\n')) CHECK(line.size() <= 79);   // with its CR

  ann.diagnostic = std::string(100'000, 'x');
  Report endless(delivery_status_notification(report_on({ann}), kMessage));
  CHECK(endless.text.size() < 10'000);
  CHECK(endless.status(1, "Diagnostic-Code").size() > kMaxQuotedReply);
}

TEST_CASE("no length of any value makes a line too long") {
  std::string wide;
  for (int i = 0; i < 3000; ++i) wide += "ü";
  for (const std::string& value : {std::string(5000, 'x'), wide, wide + "@" + wide + ".example", std::string(5000, '\xff')}) {
    DsnRecipient ann;
    ann.address = ann.remote = ann.diagnostic = ann.why = value;
    ann.orcpt = "utf-8;" + value;
    Dsn dsn = report_on({ann});
    dsn.reporting_mta = dsn.to = dsn.envid = dsn.id = value;
    for (bool utf8 : {false, true}) {
      dsn.utf8 = utf8;
      Report report(delivery_status_notification(dsn, "Message-ID: <" + value + "@b>\r\nSubject: " + value));
      CHECK(report.text.size() < 60'000);
      CHECK(report.field("In-Reply-To") == "(none)");
    }
  }
}

TEST_CASE("the message comes back whole only when that was asked for, something failed, and it is no larger than the limit") {
  std::string message = std::string(kMessage) + "Grüße\r\n";
  auto dsn = full_report();
  Report report(delivery_status_notification(dsn, message));
  CHECK(report.part(2).is("message", "rfc822"));
  CHECK(report.body(2) == message);
  CHECK(report.tells("your whole message."));

  std::string header = message.substr(0, message.find("\r\n\r\n") + 2);
  CHECK(Report(delivery_status_notification(dsn, message, message.size())).body(2) == message);
  CHECK(Report(delivery_status_notification(dsn, message, message.size() - 1)).body(2) == header);
  CHECK(Report(delivery_status_notification(dsn, message + std::string(kMaxReturnedMessage, '\n'))).body(2) == header);
  dsn.recipients.push_back(recipient("bob@example.org", Action::delivered));
  CHECK(Report(delivery_status_notification(dsn, message)).body(2) == message);
  // RFC 3461 4.3: RET is for failures.
  dsn.recipients.erase(dsn.recipients.begin());
  CHECK(Report(delivery_status_notification(dsn, message)).body(2) == header);
  dsn = full_report();
  dsn.full = false;
  Report short_report(delivery_status_notification(dsn, message));
  CHECK(short_report.part(2).is("text", "rfc822-headers"));
  CHECK(short_report.body(2) == header);
  CHECK(short_report.tells("the header of your message."));
}

TEST_CASE("a message whose lines cannot be sent again comes back as its header") {
  for (std::string body : {"a\nb\r\n", "a\rb\r\n", "a\r", "\n", "\r\r\n", "\n\r"}) {
    INFO(printable(body));
    CHECK(Report(delivery_status_notification(full_report(), "A: b\r\n\r\n" + body)).body(2) == "A: b\r\n");
  }
  CHECK(Report(delivery_status_notification(full_report(), std::string("A: b\r\n\r\n\0", 9))).body(2) == "A: b\r\n");
  std::string line(998, 'x');
  CHECK(Report(delivery_status_notification(full_report(), "A: b\r\n\r\n" + line)).body(2) == "A: b\r\n\r\n" + line);
  CHECK(Report(delivery_status_notification(full_report(), "A: b\r\n\r\nx" + line)).body(2) == "A: b\r\n");
  // Escape sequences of ISO-2022-JP and the like stay.
  CHECK(Report(delivery_status_notification(full_report(), "A: b\r\n\r\n\x1b$B")).body(2) == "A: b\r\n\r\n\x1b$B");
}

TEST_CASE("a message that guesses at the boundary does not get it") {
  for (std::string guess : {"=_7Q3K2M0V8RXAE_", "--=_7Q3K2M0V8RXAE_--", "=_7Q3K2M0V8RXAE_0"}) {
    std::string message = std::string(kMessage) + "--" + guess + "\r\n--" + guess + "--\r\n";
    Report report(delivery_status_notification(full_report(), message));
    CHECK(report.body(2) == message);
  }
  // Each letter is tried behind it, and each behind that: a longer one is free.
  std::string message(kMessage);
  for (char a = '0'; a <= 'z'; ++a) {
    for (char b = '0'; b <= 'z'; ++b) message += std::string("--=_7Q3K2M0V8RXAE_") + a + b + "\r\n";
  }
  Report report(delivery_status_notification(full_report(), message));
  CHECK(report.body(2) == message);
  CHECK(report.table.root().type.parameters.plain("boundary").size() == 19);
}

TEST_CASE("a returned header holds nothing but fields of the message, in lines that can be sent") {
  CHECK(returned("") == "");
  CHECK(returned("\r\nbody") == "");
  CHECK(returned("A: b\nC: d\n\nbody") == "A: b\r\nC: d\r\n");
  CHECK(returned("From me Mon\r\nA: b\r\nrubbish\r\n folded\r\n: x\r\nC: d") == "A: b\r\nC: d\r\n");
  CHECK(returned("A: b\r\n\tc\r\n \r\n d  \r\n\r\n") == "A: b\r\n c\r\n d\r\n");
  CHECK(returned("A:\r\n b\r\n") == "A: b\r\n");
  CHECK(returned("A:\r\n") == "A:\r\n");
  CHECK(returned("A: b\rC: d\x1b" + std::string(1, '\0') + "\r\n") == "A: b C: d\r\n");
  CHECK(returned("Subject: Gr\xfc\xdf" "e\r\nB: ü\r\n") == "Subject: Grüße\r\nB: ü\r\n");
  CHECK(returned(std::string(81, 'n') + ": x\r\nA: b\r\n") == "A: b\r\n");
  std::string words = "A:";
  for (int i = 0; i < 500; ++i) words += " word";
  CHECK(unfolded(HeaderBlock(returned(words + "\r\n")).find("A")->raw) == words.substr(3));
  CHECK(returned("A: " + std::string(2000, 'x') + "\r\n").size() == 3 + 2000 + 2 * 3 + 2);
}

TEST_CASE("a long returned header ends behind the last field that fits") {
  std::string field = "X-Field: " + std::string(89, 'x') + "\r\n";
  std::string header;
  for (int i = 0; i < 1000; ++i) header += field;
  std::string back = returned(header + "\r\nbody");
  CHECK(back.size() == kMaxReturnedHeader / field.size() * field.size());
  CHECK(back == header.substr(0, back.size()));
  CHECK(returned("A: b\r\nB: " + std::string(kMaxReturnedHeader, ' ') + "x\r\nC: d\r\n") == "A: b\r\n");
}

TEST_CASE("the report refers to the message only by a sound Message-ID") {
  auto reference = [](const std::string& header) {
    return Report(delivery_status_notification(report_on({recipient("ann@example.org")}), header + "\r\n\r\n")).field("References");
  };
  CHECK(reference("message-id:\r\n <a.b$c@[192.0.2.1]>") == "<a.b$c@[192.0.2.1]>");
  for (std::string id : {"", "a@b", "<a@b", "<>", "<@>", "<a@>", "<@b>", "<ab>", "<a@b> <c@d>", "<a@b>, x", "<a b@c>", "<a\r\n b@c>",
                         "<\xc3\xbc@b>", "<a@b>\x01"}) {
    INFO(printable(id));
    CHECK(reference("Message-ID: " + id) == "(none)");
  }
  CHECK(reference("Message-ID: <" + std::string(500, 'a') + "@b>") == "(none)");
}

TEST_CASE("another reader of mail finds the same structure without a defect") {
  postern::test::TemporaryDirectory directory;
  auto ann = recipient("ann@example.org");
  ann.diagnostic = "550 5.1.1 Grüße, " + std::string(300, 'x') + " and more words that need folding";
  auto dsn = report_on({ann, recipient("bob@example.org", Action::delivered)});
  dsn.full = true;
  std::ofstream(directory.path() + "/report", std::ios::binary) << delivery_status_notification(dsn, kMessage);
  std::ofstream(directory.path() + "/read.py") << R"(
import email, email.policy, sys
message = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
print(message.get_content_type(), message["In-Reply-To"], message["To"].addresses[0].addr_spec)
for part in message.walk():
    print(part.get_content_type(), len(part.defects), sum(len(value.defects) for value in part.values()))
status = message.get_payload(1).get_payload()
print([(group["Final-Recipient"], group["Action"], group["Status"]) for group in status])
print(status[1]["Diagnostic-Code"].split()[0:4])
print(message.get_payload(2).get_payload(0).get_content().strip())
)";
  std::string command = "python3 -B '" + directory.path() + "/read.py' '" + directory.path() + "/report' 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) said += static_cast<char>(c);
  CHECK(::pclose(pipe) == 0);
  CHECK(said ==
        "multipart/report <one@corp.example> bob@corp.example\n"
        "multipart/report 0 0\ntext/plain 0 0\nmessage/delivery-status 0 0\n"
        "text/plain 0 0\ntext/plain 0 0\ntext/plain 0 0\n"
        "message/rfc822 0 0\ntext/plain 0 0\n"
        "[(None, None, None), ('rfc822; ann@example.org', 'failed', '5.1.1'), ('rfc822; bob@example.org', 'delivered', '2.0.0')]\n"
        "['smtp;', '550', '5.1.1', 'Gr\\\\x{FC}\\\\x{DF}e,']\n"
        "The body.\n");
}
