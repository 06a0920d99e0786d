// Messages to a server that behaves.
#include "gateway/smtp_client/dot_stuffer.h"
#include "tests/unit/smtp_client/peer.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace postern::smtp_client::test;

namespace {

std::string stuffed(std::vector<std::string_view> pieces) {
  DotStuffer stuffer;
  std::string out;
  for (auto piece : pieces) {
    while (!piece.empty()) {
      bool dot = false;
      auto run = stuffer.next(piece, dot);
      if (dot) out += '.';
      out += run;
    }
  }
  out += stuffer.ending();
  return out;
}

constexpr const char* kOneMessage =
    "C: MAIL FROM:<you@sender.test>\nS: 250 2.1.0 ok\nC: RCPT TO:<ann@rcpt.test>\nS: 250 2.1.5 ok\nC: DATA\nS: 354 go on\nBODY\n"
    "S: 250 2.0.0 queued as 42\n";

}  // namespace

TEST_CASE("dots at line starts are stuffed, over the seams of pieces too") {
  CHECK(stuffed({}) == ".\r\n");
  CHECK(stuffed({"a\r\n"}) == "a\r\n.\r\n");
  CHECK(stuffed({"a"}) == "a\r\n.\r\n");
  CHECK(stuffed({"a\r"}) == "a\r\n.\r\n");
  CHECK(stuffed({"."}) == "..\r\n.\r\n");
  CHECK(stuffed({".a\r\n.b\r\n..\r\n"}) == "..a\r\n..b\r\n...\r\n.\r\n");
  CHECK(stuffed({"a.b\r\n"}) == "a.b\r\n.\r\n");
  CHECK(stuffed({"a\r\n", ".b\r\n"}) == "a\r\n..b\r\n.\r\n");
  CHECK(stuffed({"a\r", "\n", ".b\r\n"}) == "a\r\n..b\r\n.\r\n");
  CHECK(stuffed({"a", ".b\r\n"}) == "a.b\r\n.\r\n");
  CHECK(stuffed({"a\n.\nb\r\n"}) == "a\n..\nb\r\n.\r\n");
  CHECK(stuffed({"a\n"}) == "a\n\r\n.\r\n");
}

TEST_CASE("a message goes step by step to a server without extensions") {
  Play play(hello({}) + kOneMessage);
  play.quits = true;
  play.server.script += "C: QUIT\nS: 221 bye\nCLOSE\n";
  play.run();
  CHECK(play.first().accepted());
  CHECK(play.first().step == Step::end);
  CHECK(play.first().reply.text == "queued as 42");
  CHECK(play.server.body == "Subject: x\r\n\r\ntext\r\n");
  CHECK(play.usable);
}

TEST_CASE("with PIPELINING the envelope goes in one piece") {
  // It says nothing before it has heard all three.
  Play play(hello({"PIPELINING"}) +
            "C: MAIL FROM:<you@sender.test>\nC: RCPT TO:<ann@rcpt.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go on\nBODY\nS: 250 ok\n");
  CHECK(play.run().first().accepted());
}

TEST_CASE("with CHUNKING the body goes in one chunk as it is") {
  Play play(hello({"PIPELINING", "CHUNKING"}) + "C: MAIL*\nC: RCPT*\nS: 250 ok\nS: 250 ok\nBDAT\nS: 250 ok\n");
  play.body = {"Subject: x\r\n\r\n", ".dot\r\n", "no end"};
  play.run();
  CHECK(play.first().accepted());
  CHECK(play.server.heard.back() == "BDAT 26 LAST");
  CHECK(play.server.body == "Subject: x\r\n\r\n.dot\r\nno end");
}

TEST_CASE("a target may do without CHUNKING") {
  Play play(hello({"CHUNKING"}) + kOneMessage);
  play.target.chunking = false;
  CHECK(play.run().first().accepted());
}

TEST_CASE("no chunk is sent for nobody") {
  Play play(hello({"PIPELINING", "CHUNKING"}) + "C: MAIL*\nC: RCPT*\nS: 250 ok\nS: 550 no\nC: RSET\nC: MAIL*\nC: RCPT*\nS: 250 ok\nS: 250 ok\nS: 550 no\n");
  play.messages = 2;
  play.run();
  CHECK(play.first().permanent());
  CHECK(play.usable);
}

TEST_CASE("each recipient has its own outcome, in the order of the envelope") {
  Play play(hello({"PIPELINING"}) +
            "C: MAIL*\nC: RCPT TO:<a@r.test>\nC: RCPT TO:<b@r.test>\nC: RCPT TO:<c@r.test>\nC: DATA\n"
            "S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no such user\nS: 451 4.7.1 later\nS: 354 go on\nBODY\nS: 250 ok\n");
  play.to({"a@r.test", "b@r.test", "c@r.test"}).run();
  CHECK(play.outcomes[0].accepted());
  CHECK(play.outcomes[1].permanent());
  CHECK(play.outcomes[1].step == Step::rcpt);
  CHECK(play.outcomes[1].status() == "5.1.1");
  CHECK(play.outcomes[1].sentence() == "550 5.1.1 no such user (in reply to RCPT TO)");
  CHECK(play.outcomes[2].kind == Kind::transient);
  CHECK(play.usable);
}

TEST_CASE("a refusal of MAIL is everybody's, and the answers behind it are passed over") {
  for (bool pipelined : {false, true}) {
    Play play(pipelined ? hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 550 5.7.1 go away\nS: 503 x\nS: 503 x\nS: 503 x\n"
                        : hello({}) + "C: MAIL*\nS: 550 5.7.1 go away\n");
    play.to({"a@r.test", "b@r.test"}).run();
    for (const auto& outcome : play.outcomes) {
      CHECK(outcome.permanent());
      CHECK(outcome.step == Step::mail);
      CHECK(outcome.reply.text == "go away");
    }
    CHECK(play.usable);
  }
}

TEST_CASE("a refusal of DATA or of the end is that of all accepted recipients") {
  for (bool at_end : {false, true}) {
    Play play(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\n" +
              (at_end ? "S: 354 go\nBODY\nS: 554 5.6.0 spam\n" : "S: 554 5.6.0 spam\n"));
    play.to({"a@r.test", "b@r.test"}).run();
    CHECK(play.outcomes[0].permanent());
    CHECK(play.outcomes[0].step == (at_end ? Step::end : Step::data));
    CHECK(play.outcomes[0].status() == "5.6.0");
    CHECK_FALSE(play.outcomes[0].maybe_delivered);
    CHECK(play.outcomes[1].status() == "5.1.1");
    CHECK(play.usable);
  }
}

TEST_CASE("a DATA taken for nobody is ended with a lone dot, and its answer ignored") {
  Play play(hello({"PIPELINING"}) +
            "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nBODY\nS: 554 no valid recipients\n"
            "C: RSET\nC: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nBODY\nS: 250 done\n");
  play.messages = 2;
  play.run();
  CHECK(play.first().accepted());
  CHECK(play.server.body == "Subject: x\r\n\r\ntext\r\n");   // nothing of the first
  Play refused(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nBODY\nS: 250 taken\n");
  CHECK(refused.run().first().status() == "5.1.1");
  Play mail(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 550 5.7.1 no\nS: 503 no\nS: 354 go\nBODY\nS: 250 taken\n");
  CHECK(mail.run().first().status() == "5.7.1");
  CHECK(mail.server.body.empty());
}

TEST_CASE("without PIPELINING no DATA is said for nobody") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 550 no\nC: RSET\nS: 250 ok\nC: MAIL*\nS: 250 ok\nC: RCPT*\nS: 550 no\n");
  play.messages = 2;
  CHECK(play.run().first().permanent());
}

TEST_CASE("messages follow each other on one connection, with RSET only where something was left") {
  auto script = hello({"PIPELINING"});
  for (int i = 0; i < 3; ++i) script += "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nBODY\nS: 250 ok\n";
  Play play(script);
  play.messages = 3;
  play.run();
  CHECK(play.first().accepted());
  CHECK(play.usable);
}

TEST_CASE("a connection whose RSET is refused is not used again") {
  Play play(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\nC: MAIL*\nC: RCPT*\nC: DATA\nS: 500 what\n");
  play.messages = 2;
  play.run();
  CHECK(play.first().kind == Kind::protocol_error);
  CHECK(play.first().step == Step::rset);
  CHECK_FALSE(play.usable);
}

TEST_CASE("parameters are said when they are offered, and only then") {
  Envelope envelope;
  envelope.sender = "you@sender.test";
  envelope.eight_bit = true;
  envelope.ret = "HDRS";
  envelope.envid = "QQ+2B1";
  auto& recipient = envelope.recipients.emplace_back();
  recipient.address = "ann@rcpt.test";
  recipient.notify = "SUCCESS,FAILURE";
  recipient.orcpt = "rfc822;old@rcpt.test";
  Play all(hello({"SIZE", "8BITMIME", "DSN", "SMTPUTF8", "PIPELINING"}) +
           "C: MAIL FROM:<you@sender.test> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1\n"
           "C: RCPT TO:<ann@rcpt.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old@rcpt.test\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nBODY\nS: 250 ok\n");
  all.envelope = envelope;
  CHECK(all.run().first().accepted());
  Play none(hello({}) + kOneMessage);
  none.envelope = envelope;
  none.body = {"Subject: x\r\n\r\n\xc3\xbc\r\n"};   // 8-bit octets go all the same
  CHECK(none.run().first().accepted());
  CHECK(none.server.body == none.body[0]);
}

TEST_CASE("the null reverse-path is said as one") {
  Play play(hello({}) + "C: MAIL FROM:<>\nS: 550 no\n");
  play.envelope.sender = "";
  CHECK(play.run().first().permanent());
}

TEST_CASE("a message that needs SMTPUTF8 asks for it, and fails where it is not offered") {
  Play offered(hello({"SMTPUTF8", "PIPELINING"}) + "C: MAIL FROM:<you@sender.test> SMTPUTF8\nC: RCPT TO:<j\xc3\xbc@r.test>\nC: DATA\nS: 550 x\nS: 503 x\nS: 503 x\n");
  offered.to({"j\xc3\xbc@r.test"}).run();
  CHECK(offered.first().step == Step::mail);

  Play header(hello({}));
  header.envelope.smtputf8 = true;
  CHECK(header.run().first().permanent());
  CHECK(header.first().status() == "5.6.7");
  CHECK(header.first().reply.code == 0);
  CHECK(header.usable);

  Play one_address(hello({}) + kOneMessage);
  one_address.to({"j\xc3\xbc@r.test", "ann@rcpt.test"}).run();
  CHECK(one_address.outcomes[0].status() == "5.6.7");
  CHECK(one_address.outcomes[1].accepted());
}

TEST_CASE("a message above the offered SIZE fails without a word") {
  Play play(hello({"SIZE 19"}));
  play.run();
  CHECK(play.first().permanent());
  CHECK(play.first().status() == "5.3.4");
  CHECK(play.server.heard.size() == 1);   // EHLO
  Play fits(hello({"SIZE 20"}) + "C: MAIL FROM:<you@sender.test> SIZE=20\nS: 452 4.3.1 full\n");
  CHECK(fits.run().first().kind == Kind::transient);
}

TEST_CASE("an address with a line end in it is never said") {
  Play play(hello({}) + kOneMessage);
  play.to({"x@r.test>\r\nDATA", "ann@rcpt.test"}).run();
  CHECK(play.outcomes[0].status() == "5.1.3");
  CHECK(play.outcomes[1].accepted());
  Play sender(hello({}));
  sender.envelope.sender = "x@r.test>\r\nQUIT";
  CHECK(sender.run().first().status() == "5.1.7");
  Play parameter(hello({"DSN"}) + kOneMessage);
  parameter.envelope.envid = "x\r\nQUIT";
  CHECK(parameter.run().first().accepted());
}

TEST_CASE("recipients above RCPTMAX are not tried") {
  Play play(hello({"LIMITS RCPTMAX=1"}) + kOneMessage);
  play.to({"ann@rcpt.test", "bob@rcpt.test"}).run();
  CHECK(play.outcomes[0].accepted());
  CHECK(play.outcomes[1].kind == Kind::not_tried);
}

TEST_CASE("a connection is used up after MAILMAX messages") {
  Play play(hello({"LIMITS MAILMAX=1"}) + kOneMessage);
  play.run();
  CHECK(play.first().accepted());
  CHECK_FALSE(play.usable);
}

TEST_CASE("recipients that are too many for the server are not tried, and no more are named") {
  for (const char* answer : {"452 4.5.3 enough", "452 Too many recipients", "552 too many recipients"}) {
    Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT TO:<a@r.test>\nS: 250 ok\nC: RCPT TO:<b@r.test>\nS: " + answer +
              "\nC: DATA\nS: 354 go\nBODY\nS: 250 ok\n");
    play.to({"a@r.test", "b@r.test", "c@r.test"}).run();
    CHECK(play.outcomes[0].accepted());
    CHECK(play.outcomes[1].kind == Kind::not_tried);
    CHECK(play.outcomes[2].kind == Kind::not_tried);
    CHECK(play.usable);
  }
}

TEST_CASE("a server that has room for nobody defers, so that nobody asks it again at once") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 452 4.5.3 enough\n");
  CHECK(play.run().first().kind == Kind::transient);
}

TEST_CASE("five hundred recipients go in groups whose answers fit the buffers") {
  std::vector<std::string> recipients;
  auto script = hello({"PIPELINING"});
  std::string answers;
  auto say = [&](std::string command, std::string answer) {
    script += "C: " + command + "\n";
    answers += "S: " + answer + "\n";
  };
  say("MAIL*", "250 ok");
  int said = 1;
  for (int i = 0; i < 500; ++i) {
    recipients.push_back("r" + std::to_string(i) + "@r.test");
    say("RCPT TO:<" + recipients.back() + ">", i % 2 == 0 ? "250 ok" : "550 " + std::string(480, 'x'));
    if (++said % 100 == 0) script += std::exchange(answers, "");
  }
  say("DATA", "354 go");
  Play play(script + answers + "BODY\nS: 250 ok\n");
  play.to(recipients).run();
  CHECK(play.outcomes[498].accepted());
  CHECK(play.outcomes[499].permanent());
}

TEST_CASE("LMTP says LHLO and hears one answer for each accepted recipient") {
  const std::string lhlo = "S: 220 lmtp.test\nC: LHLO gate.test\nS: 250-lmtp.test\nS: 250 PIPELINING\n";
  Play play(lhlo + "C: MAIL*\nC: RCPT*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 354 go\nBODY\n"
                   "S: 452 4.2.2 over quota\nS: 250 2.0.0 done\n");
  play.lmtp().to({"a@r.test", "b@r.test", "c@r.test"}).run();
  CHECK(play.outcomes[0].status() == "4.2.2");
  CHECK(play.outcomes[0].step == Step::end);
  CHECK(play.outcomes[1].status() == "5.1.1");
  CHECK(play.outcomes[2].accepted());
  CHECK(play.usable);
}

TEST_CASE("a probe asks MAIL and RCPT and leaves nothing behind") {
  auto script = hello({"PIPELINING"}) + "C: MAIL FROM:<you@sender.test>\nC: RCPT TO:<ann@rcpt.test>\nC: RSET\n";
  Play yes(script + "S: 250 ok\nS: 250 2.1.5 ok\nS: 250 ok\n");
  yes.probes = true;
  CHECK(yes.run().first().accepted());
  CHECK(yes.first().step == Step::rcpt);
  CHECK(yes.usable);
  Play no(script + "S: 250 ok\nS: 250 2.1.5 ok\nS: 250 ok\n" + "C: MAIL*\nC: RCPT*\nC: RSET\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\n");
  no.probes = true;
  no.messages = 2;
  CHECK(no.run().first().status() == "5.1.1");
  Play mail(hello({}) + "C: MAIL*\nS: 451 greylisted\n");
  mail.probes = true;
  CHECK(mail.run().first().kind == Kind::transient);
  CHECK(mail.first().step == Step::mail);
  Play lost(script + "S: 250 ok\nS: 550 5.1.1 no\nCLOSE\n");
  lost.probes = true;
  CHECK(lost.run().first().status() == "5.1.1");
  CHECK_FALSE(lost.usable);
}

TEST_CASE("a big body arrives as it was, in pieces of any size") {
  for (bool chunked : {false, true}) {
    auto script = chunked ? hello({"PIPELINING", "CHUNKING"}) + "C: MAIL*\nC: RCPT*\nS: 250 ok\nS: 250 ok\nBDAT\nS: 250 ok\n"
                          : hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nBODY\nS: 250 ok\n";
    Play play(script);
    std::string line = "0123456789 0123456789 0123456789 0123456789 0123456789\r\n";
    std::string piece;
    while (piece.size() < 300'000) piece += line;
    play.body = {"Subject: x\r\n\r\n", piece, line, piece, "", piece};
    std::string whole;
    for (const auto& part : play.body) whole += part;
    play.run();
    CHECK(play.first().accepted());
    CHECK((play.server.body == whole));
  }
}
