// What a list makes of a header, which signatures that leaves whole, and what reports say.
#include "gateway/mail/list_header.h"

#include "gateway/mail/bounce.h"
#include "gateway/mail/headers.h"
#include "tests/support/catch.h"

using namespace postern::mail;

namespace {

ListHeader team() {
  ListHeader out;
  out.address = "team@corp.example";
  out.name = "The team";
  out.request = "team-request@corp.example";
  out.unsubscribe = "team-unsubscribe@corp.example";
  out.owner = "team-owner@corp.example";
  out.bounces = "team-bounces@corp.example";
  return out;
}

std::string field(const std::string& message, const char* name) {
  HeaderBlock header(message);
  const auto* found = header.find(name);
  return found == nullptr ? "(none)" : unfolded(found->raw);
}

const std::string kMessage = "From: Ann <ann@x.org>\r\nTo: team@corp.example\r\nSubject: hi\r\n\r\nbody\r\n";

}  // namespace

TEST_CASE("a list's fields stand before the message, whose body stays") {
  auto out = list_message(kMessage, team());
  CHECK(out == "List-Id: \"The team\" <team.corp.example>\r\nList-Post: <mailto:team@corp.example>\r\n"
               "List-Help: <mailto:team-request@corp.example?subject=help>\r\nList-Unsubscribe: <mailto:team-unsubscribe@corp.example>\r\n"
               "List-Owner: <mailto:team-owner@corp.example>\r\nPrecedence: list\r\nSender: <team-bounces@corp.example>\r\n" + kMessage);
}

TEST_CASE("one click is promised only where there is a link") {
  auto list = team();
  CHECK(list_message(kMessage, list).find("One-Click") == std::string::npos);
  list.unsubscribe_apart = true;
  CHECK(HeaderBlock(list_message(kMessage, list)).count("List-Unsubscribe") == 0);
  auto out = unsubscribe_fields(list.unsubscribe, "https://mx.corp.example/u/1") + list_message(kMessage, list);
  CHECK(field(out, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click");
  CHECK(field(out, "List-Unsubscribe") == "<https://mx.corp.example/u/1>, <mailto:team-unsubscribe@corp.example>");
}

TEST_CASE("what other lists wrote goes, and what asks for receipts") {
  auto out = list_message("List-Id: <other.org>\r\nLIST-Post: <x>\r\nSender: me@x.org\r\nPrecedence: bulk\r\nDisposition-Notification-To: me@x.org\r\n" + kMessage, team());
  HeaderBlock header(out);
  CHECK(header.count("List-Id") == 1);
  CHECK(header.count("List-Post") == 1);
  CHECK(header.count("Sender") == 1);
  CHECK(header.count("Precedence") == 1);
  CHECK(header.count("Disposition-Notification-To") == 0);
}

TEST_CASE("a prefix stands once before the subject") {
  auto list = team();
  list.prefix = "[team]";
  struct Case {
    std::string given, wanted;
  };
  for (const auto& [given, wanted] : {Case{"Subject: hi\r\n", "[team] hi"}, Case{"Subject: Re: [team] hi\r\n", "Re: [team] hi"}, Case{"", "[team] (no subject)"},
                                      Case{"Subject:\r\n =?utf-8?Q?=C4=90=C3=A1p?=\r\n more\r\n", "[team] =?utf-8?Q?=C4=90=C3=A1p?= more"},
                                      Case{"Subject: =?utf-8?Q?Re:_[team]_hi?=\r\n", "=?utf-8?Q?Re:_[team]_hi?="}}) {
    auto out = list_message("From: a@x.org\r\n" + given + "\r\nbody\r\n", list);
    CHECK(field(out, "Subject") == wanted);
    CHECK(HeaderBlock(out).count("Subject") == 1);
  }
  auto longest = list_message("Subject: " + std::string(900, 'x') + "\r\n\r\n", list);
  CHECK(longest.find("Subject: [team]\r\n xxx") != std::string::npos);
}

TEST_CASE("a rewritten From names the author and answers go to him") {
  auto list = team();
  list.rewrite_from = true;
  auto out = list_message(kMessage, list);
  CHECK(field(out, "From") == "\"Ann via The team\" <team@corp.example>");
  CHECK(field(out, "X-Original-From") == "Ann <ann@x.org>");
  CHECK(field(out, "Reply-To") == "Ann <ann@x.org>");
  CHECK(field(list_message("Reply-To: other@x.org\r\n" + kMessage, list), "Reply-To") == "other@x.org");
  auto two = list_message("From: a@x.org\r\nFrom: b@y.org\r\n\r\n", list);
  CHECK(HeaderBlock(two).count("From") == 1);
  CHECK(HeaderBlock(list_message("From:\r\nFrom: b@y.org\r\n\r\n", list)).count("From") == 1);
  CHECK(field(list_message("From: =?utf-8?Q?=C4=90=C3=A1p?= <d@x.org>\r\n\r\n", list), "From") == "=?utf-8?B?xJDDoXAgdmlhIFRoZSB0ZWFt?= <team@corp.example>");
  CHECK(field(list_message("From: \"x\\\" <evil@y.org>, \\\"\" <d@x.org>\r\n\r\n", list), "From").ends_with(" via The team\" <team@corp.example>"));
  list.reply_to_list = true;
  CHECK(field(list_message(kMessage, list), "Reply-To") == "<team@corp.example>");
}

TEST_CASE("a signature holds as long as what it seals is the same") {
  auto sealing = [](const std::string& names) { return "DKIM-Signature: v=1; d=x.org; s=one;\r\n\th=" + names + "; b=abc\r\n" + kMessage; };
  const std::vector<Seal> seals{{"x.org", "one"}};
  auto list = team();
  auto holds = [&](const std::string& message) { return keeps_seals(message, list_message(message, list), seals); };
  CHECK(holds(sealing("From:To:Subject")));
  CHECK(holds(sealing("from : to :\r\n subject:from:subject")));   // sealed against a second one, which we do not add
  CHECK_FALSE(holds(sealing("From:Sender")));
  CHECK_FALSE(holds(sealing("From:List-Id")));
  CHECK_FALSE(holds("Sender: a@x.org\r\n" + sealing("From:Sender")));
  list.set_sender = false;
  CHECK(holds("Sender: a@x.org\r\n" + sealing("From:Sender")));
  list.prefix = "[team]";
  CHECK_FALSE(holds(sealing("From:Subject")));
  CHECK(holds(sealing("From:To")));
  list.prefix.clear();
  list.reply_to_list = true;
  CHECK_FALSE(holds(sealing("From:Reply-To")));
  CHECK(holds(sealing("From:Subject")));
  CHECK_FALSE(keeps_seals(sealing("From"), sealing("From"), {}));
  CHECK_FALSE(keeps_seals(kMessage, kMessage, seals));
  CHECK_FALSE(keeps_seals(sealing("From"), sealing("From"), {{"y.org", "one"}}));
}

TEST_CASE("a report says whether it failed for good") {
  auto report = [](const std::string& fields) {
    return "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + fields + "\r\n--b--\r\n";
  };
  CHECK(bounce_of(report("Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n")) == Bounce::failed);
  CHECK(bounce_of(report("Reporting-MTA: dns; x\r\n\r\naction:  FAILED (user unknown)\r\n")) == Bounce::failed);
  CHECK(bounce_of(report("Reporting-MTA: dns; x\r\n\r\nAction: delivered\r\n\r\nAction: failed\r\n")) == Bounce::failed);
  CHECK(bounce_of(report("Reporting-MTA: dns; x\r\n\r\nAction: delayed\r\nStatus: 4.4.1\r\n")) == Bounce::delayed);
  CHECK(bounce_of(report("Reporting-MTA: dns; x\r\n\r\nAction: relayed\r\n")) == Bounce::none);
  CHECK(bounce_of("Subject: I am away\r\n\r\nAction: failed\r\n") == Bounce::none);
  CHECK(bounce_of("") == Bounce::none);
}
