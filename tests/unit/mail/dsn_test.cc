// mail: what delivery status notifications say, RFC 3461 6, RFC 3464, RFC 6522, RFC 6533.
#include "gateway/mail/dsn.h"

#include "tests/unit/mail/dsn_world.h"

using namespace postern;
using namespace postern::mail;
using namespace postern::mail::test;
using Action = DsnRecipient::Action;

TEST_CASE("a report on a failure tells people and programs who did not get the message and why") {
  auto ann = recipient("ann@example.org");
  ann.remote = "mx.example.org";
  ann.diagnostic = "550 5.1.1 No such user";
  ann.why = "There is no mailbox of that name.";
  ann.last_attempt = from_unix(1'795'000'500);
  Report report(delivery_status_notification(report_on({ann}), kMessage));

  CHECK(report.field("From") == "Mail gateway <postmaster@mx.corp.example>");
  CHECK(report.field("To") == "<bob@corp.example>");
  CHECK(report.field("Date") == rfc5322_date(from_unix(1'795'000'600)));
  CHECK(report.field("Message-ID") == "<7Q3K2M0V8RXAE@mx.corp.example>");
  CHECK(report.field("Subject") == "Your message could not be delivered");
  CHECK(report.field("In-Reply-To") == "<one@corp.example>");
  CHECK(report.field("References") == "<one@corp.example>");
  CHECK(report.field("Auto-Submitted") == "auto-replied");
  CHECK(report.field("MIME-Version") == "1.0");
  CHECK(report.table.root().type.parameters.plain("report-type") == "delivery-status");

  CHECK(report.part(0).is("text", "plain"));
  CHECK(report.people() ==
        "This is the mail gateway mx.corp.example. It reports on a message of yours:\r\n\r\n"
        "  Subject: Grüße\r\n  Received: " + rfc5322_date(from_unix(1'795'000'000)) + "\r\n\r\n"
        "It could not be delivered to:\r\n\r\n"
        "  <ann@example.org>\r\n    There is no mailbox of that name.\r\n    The mail server mx.example.org said:\r\n"
        "      550 5.1.1 No such user\r\n\r\n"
        "The gateway has given up and will not try this again. Check the address, or\r\nreach the person in another way.\r\n\r\n"
        "Attached are the details for mail programs, and the header of your message.\r\n");
  CHECK(report.part(1).is("message", "delivery-status"));
  CHECK(report.programs() ==
        "Reporting-MTA: dns; mx.corp.example\r\nArrival-Date: " + rfc5322_date(from_unix(1'795'000'000)) + "\r\n\r\n"
        "Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.org\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\nLast-Attempt-Date: " + rfc5322_date(from_unix(1'795'000'500)) + "\r\n");
  CHECK(report.part(2).is("text", "rfc822-headers"));
}

TEST_CASE("a report on a delay tells until when delivery is tried") {
  auto ann = recipient("ann@example.org", Action::delayed);
  ann.why = "No mail server of example.org could be reached.";
  ann.will_retry_until = from_unix(1'795'400'000);
  Report report(delivery_status_notification(report_on({ann}), kMessage));
  CHECK(report.field("Subject") == "Your message is delayed");
  CHECK(report.tells("It has not been delivered yet to:"));
  CHECK(report.tells("The gateway will try until " + rfc5322_date(from_unix(1'795'400'000)) + "."));
  CHECK(report.tells("You need not send it again"));
  CHECK(report.status(1, "Action") == "delayed");
  CHECK(report.status(1, "Status") == "4.4.1");
  CHECK(report.status(1, "Will-Retry-Until") == rfc5322_date(from_unix(1'795'400'000)));
  CHECK(report.status(1, "Last-Attempt-Date") == "(none)");
  CHECK(report.status(1, "Remote-MTA") == "(none)");
  CHECK(report.status(1, "Diagnostic-Code") == "X-Postern; No mail server of example.org could be reached.");
}

TEST_CASE("every action has its word, its sentence and its subject") {
  struct Case {
    Action action;
    std::string word, subject, sentence;
  };
  for (const Case& c : std::vector<Case>{
           {Action::failed, "failed", "Your message could not be delivered", "It could not be delivered to:"},
           {Action::delayed, "delayed", "Your message is delayed", "It has not been delivered yet to:"},
           {Action::relayed, "relayed", "Your message was passed on", "It was passed on to a mail server"},
           {Action::delivered, "delivered", "Your message was delivered", "It was delivered to:"},
           {Action::expanded, "expanded", "Your message was delivered", "It was passed on to the members of:"}}) {
    auto ann = recipient("ann@example.org", c.action);
    ann.will_retry_until = from_unix(1'795'400'000);
    Report report(delivery_status_notification(report_on({ann}), kMessage));
    INFO(c.word);
    CHECK(report.field("Subject") == c.subject);
    CHECK(report.status(1, "Action") == c.word);
    CHECK(report.tells(c.sentence));
    // RFC 3464 2.3.9.
    CHECK((report.status(1, "Will-Retry-Until") != "(none)") == (c.action == Action::delayed));
    CHECK(report.tells("will try until") == (c.action == Action::delayed));
  }
}

TEST_CASE("a report on several recipients has a group of fields for each and sorts them for people") {
  auto last = recipient("last@example.org", Action::failed);
  last.status = "5.7.1";
  Report report(delivery_status_notification(
      report_on({recipient("ok@example.org", Action::delivered), recipient("first@example.org"), last}), kMessage));
  CHECK(report.field("Subject") == "Your message could not be delivered to everyone");
  CHECK(report.status(0, "Reporting-MTA") == "dns; mx.corp.example");
  CHECK(report.status(1, "Final-Recipient") == "rfc822; ok@example.org");
  CHECK(report.status(2, "Final-Recipient") == "rfc822; first@example.org");
  CHECK(report.status(3, "Final-Recipient") == "rfc822; last@example.org");
  CHECK(report.status(3, "Status") == "5.7.1");
  std::string text = report.people();
  CHECK(text.find("<first@") < text.find("<last@"));
  CHECK(text.find("<last@") < text.find("<ok@"));
  // One sentence for both.
  CHECK(text.find("could not be delivered") == text.rfind("could not be delivered"));
}

TEST_CASE("the identifiers of the commands come back decoded") {
  auto ann = recipient("ann@elsewhere.example");
  ann.orcpt = "rfc822;ann+2Bnews@example.org";
  auto dsn = report_on({ann, recipient("bob@example.org")});
  dsn.envid = "QQ+2B314+3D159";
  Report report(delivery_status_notification(dsn, kMessage));
  CHECK(report.status(0, "Original-Envelope-Id") == "QQ+314=159");
  CHECK(report.status(1, "Original-Recipient") == "rfc822; ann+news@example.org");
  CHECK(report.status(1, "Final-Recipient") == "rfc822; ann@elsewhere.example");
  CHECK(report.tells("<ann@elsewhere.example>\r\n    (you wrote to <ann+news@example.org>)"));
  CHECK(report.status(2, "Original-Recipient") == "(none)");

  dsn.envid.clear();
  dsn.recipients[0].orcpt = "rfc822;Ann@Elsewhere.example";
  Report other(delivery_status_notification(dsn, kMessage));
  CHECK(other.status(0, "Original-Envelope-Id") == "(none)");
  CHECK_FALSE(other.tells("you wrote to"));
}

TEST_CASE("an original recipient that cannot be read is left out and one of another kind is only for programs") {
  for (std::string orcpt : {"ann@example.org", ";ann@example.org", "a b;ann@example.org", "rfc822;", "rfc822;+20"}) {
    auto ann = recipient("ann@example.org");
    ann.orcpt = orcpt;
    Report report(delivery_status_notification(report_on({ann}), kMessage));
    INFO(orcpt);
    CHECK(report.status(1, "Original-Recipient") == "(none)");
  }
  auto ann = recipient("ann@example.org");
  ann.orcpt = "X400;/G=Ann/C=de/";
  Report report(delivery_status_notification(report_on({ann}), kMessage));
  CHECK(report.status(1, "Original-Recipient") == "x400; /G=Ann/C=de/");
  CHECK_FALSE(report.tells("you wrote to"));
}

TEST_CASE("a status that is none is replaced by the action's class") {
  for (std::string status : {"", "5", "5.1", "5.1.1.1", "3.1.1", "5.1000.1", "5.x.1", "5.1.1\r\nX: y", "550 5.1.1"}) {
    INFO(status);
    for (auto [action, expected] : {std::pair(Action::failed, "5.0.0"), std::pair(Action::delayed, "4.0.0"),
                                    std::pair(Action::relayed, "2.0.0"), std::pair(Action::delivered, "2.0.0")}) {
      auto ann = recipient("ann@example.org", action);
      ann.status = status;
      CHECK(Report(delivery_status_notification(report_on({ann}), kMessage)).status(1, "Status") == expected);
    }
  }
}

TEST_CASE("an internationalised report has UTF-8 in its status and the global types") {
  auto ann = recipient("用户@xn--fsqu00a.example");
  ann.orcpt = "utf-8;\\x{7528}\\x{6237}@example.org";
  ann.diagnostic = "550 5.1.1 Gibt’s nicht";
  auto dsn = report_on({ann, recipient("bob@example.org")});
  dsn.utf8 = true;
  Report report(delivery_status_notification(dsn, kMessage));
  CHECK(report.part(1).is("message", "global-delivery-status"));
  CHECK(report.part(2).is("message", "global-headers"));
  CHECK(report.table.root().type.parameters.plain("report-type") == "delivery-status");
  CHECK(report.status(1, "Original-Recipient") == "utf-8; 用户@example.org");
  CHECK(report.status(1, "Final-Recipient") == "utf-8; 用户@xn--fsqu00a.example");
  CHECK(report.status(1, "Diagnostic-Code") == "smtp; 550 5.1.1 Gibt’s nicht");
  CHECK(report.status(2, "Final-Recipient") == "rfc822; bob@example.org");
  CHECK(report.tells("(you wrote to <用户@example.org>)"));
  dsn.full = true;
  CHECK(Report(delivery_status_notification(dsn, kMessage)).part(2).is("message", "global"));
  // Not to be taken for an escape.
  dsn.recipients[0].address = "\"ü\\x{41} b\"@example.org";
  CHECK(Report(delivery_status_notification(dsn, kMessage)).status(1, "Final-Recipient") ==
        "utf-8; \"ü\\x{5C}x{41}\\x{20}b\"@example.org");
}

TEST_CASE("the status of an ordinary report is ASCII whatever it quotes") {
  auto ann = recipient("用户@example.org");
  ann.orcpt = "rfc822;f+C3+BC@example.org";
  ann.diagnostic = "550 5.1.1 Grüße";
  ann.remote = "mx.b\xc3\xbc.example";
  auto dsn = report_on({ann});
  dsn.envid = "+C3+BC";
  Report report(delivery_status_notification(dsn, kMessage));
  CHECK(report.part(1).is("message", "delivery-status"));
  CHECK(is_ascii(report.programs()));
  CHECK(report.status(0, "Original-Envelope-Id") == "\\x{FC}");
  CHECK(report.status(1, "Original-Recipient") == "utf-8; f\\x{FC}@example.org");
  CHECK(report.status(1, "Final-Recipient") == "utf-8; \\x{7528}\\x{6237}@example.org");
  CHECK(report.status(1, "Remote-MTA") == "dns; mx.b\\x{FC}.example");
  CHECK(report.status(1, "Diagnostic-Code") == "smtp; 550 5.1.1 Gr\\x{FC}\\x{DF}e");
  CHECK(report.tells("550 5.1.1 Grüße"));
}

TEST_CASE("a report to an address that only SMTPUTF8 can carry is an internationalised one") {
  auto dsn = report_on({recipient("ann@example.org")});
  dsn.to = "böb@corp.example";
  Report report(delivery_status_notification(dsn, kMessage));
  CHECK(report.field("To") == "<böb@corp.example>");
  CHECK(report.part(1).is("message", "global-delivery-status"));
}
