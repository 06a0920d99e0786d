// Servers that misbehave: each way, at each step.
#include "tests/unit/smtp_client/peer.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace postern::smtp_client::test;

namespace {

struct Stage {
  std::string before;   // the script up to where the server should answer
  Step step;
  std::string answer;
};

// The dialogue of one message, cut where an answer is due.
std::vector<Stage> stages(Dialect dialect, bool tls, bool chunked) {
  std::vector<Stage> out;
  std::string so_far;
  auto due = [&](Step step, std::string answer) {
    out.push_back({so_far, step, answer});
    so_far += answer;
  };
  std::string ehlo = dialect == Dialect::smtp ? "C: EHLO gate.test\n" : "C: LHLO gate.test\n";
  due(Step::greeting, "S: 220 mx.test\n");
  so_far += ehlo;
  due(Step::hello, std::string("S: 250-mx.test\n") + (tls ? "S: 250-STARTTLS\n" : chunked ? "S: 250-CHUNKING\n" : "") + "S: 250 HELP\n");
  if (tls) {
    so_far += "C: STARTTLS\n";
    due(Step::starttls, "S: 220 go\n");
    due(Step::tls, "TLS\n");
    so_far += ehlo;
    due(Step::hello, "S: 250 mx.test\n");
  }
  so_far += "C: MAIL*\n";
  due(Step::mail, "S: 250 ok\n");
  so_far += "C: RCPT*\n";
  due(Step::rcpt, "S: 250 ok\n");
  if (chunked) {
    so_far += "BDAT\n";
  } else {
    so_far += "C: DATA\n";
    due(Step::data, "S: 354 go\n");
    so_far += "BODY\n";
  }
  due(Step::end, "S: 250 done\n");
  return out;
}

Outcome outcome_of(Play& play) { return play.outcomes.empty() ? play.failure : play.outcomes[0]; }

Play prepared(Dialect dialect, bool tls, std::string script) {
  Play play(std::move(script));
  play.target.dialect = dialect;
  if (tls) play.server.tls = postern::test::server_context();
  return play;
}

}  // namespace

TEST_CASE("a server that closes instead of answering is lost at that step, and only behind the end is delivery open") {
  for (auto dialect : {Dialect::smtp, Dialect::lmtp}) {
    for (int form = 0; form < 3; ++form) {
      bool tls = form == 1;
      for (const auto& stage : stages(dialect, tls, form == 2)) {
        auto play = prepared(dialect, tls, stage.before + "CLOSE\n");
        play.run();
        auto outcome = outcome_of(play);
        INFO(stage.before << " -> " << outcome.sentence());
        CHECK(outcome.kind == (stage.step == Step::tls ? Kind::tls_failed : Kind::lost));
        CHECK(outcome.step == stage.step);
        CHECK(outcome.maybe_delivered == (stage.step == Step::end));
        CHECK(outcome.reply.code == 0);
        CHECK_FALSE(play.usable);
      }
    }
  }
}

TEST_CASE("a server that hangs instead of answering has timed out at that step") {
  for (int form = 0; form < 3; ++form) {
    bool tls = form == 1;
    for (const auto& stage : stages(Dialect::smtp, tls, form == 2)) {
      auto play = prepared(Dialect::smtp, tls, stage.before + "HANG\n");
      play.impatient(stage.step).run();
      auto outcome = outcome_of(play);
      INFO(stage.before << " -> " << outcome.sentence());
      CHECK(outcome.kind == (stage.step == Step::tls ? Kind::tls_failed : Kind::timed_out));
      CHECK(outcome.step == stage.step);
      CHECK(outcome.maybe_delivered == (stage.step == Step::end));
      CHECK(outcome.sentence().find(stage.step == Step::tls ? "no answer in time" : std::string(step_name(stage.step))) != std::string::npos);
      CHECK_FALSE(play.usable);
    }
  }
}

TEST_CASE("a 421 at any step ends the connection with the server's words, and nothing is open") {
  for (const auto& stage : stages(Dialect::smtp, true, false)) {
    if (stage.step == Step::tls) continue;
    auto play = prepared(Dialect::smtp, true, stage.before + "S: 421 4.3.2 going down\nHANG\n");
    play.run();
    auto outcome = outcome_of(play);
    INFO(stage.before);
    CHECK(outcome.kind == Kind::transient);
    CHECK(outcome.step == stage.step);
    CHECK(outcome.reply.sentence() == "421 4.3.2 going down");
    CHECK_FALSE(outcome.maybe_delivered);
    CHECK_FALSE(play.usable);
  }
}

TEST_CASE("rubbish, a megabyte of it, a 3xx at the wrong place and a reply that changes its code are protocol errors") {
  for (const char* rubbish : {"S: hello\nHANG\n", "S+: 1000000 x\nHANG\n", "S: 334 what\nHANG\n", "S: 250-a\nS: 550 b\nHANG\n", "S: 999 x\nHANG\n"}) {
    for (const auto& stage : stages(Dialect::smtp, false, false)) {
      if (stage.step == Step::data && std::string_view(rubbish).starts_with("S: 334")) continue;   // Postfix and Exim take any 3xx
      auto play = prepared(Dialect::smtp, false, stage.before + rubbish);
      play.run();
      auto outcome = outcome_of(play);
      INFO(stage.before << rubbish << " -> " << outcome.sentence());
      CHECK(outcome.kind == Kind::protocol_error);
      CHECK(outcome.step == stage.step);
      CHECK(outcome.maybe_delivered == (stage.step == Step::end));
      CHECK_FALSE(play.usable);
    }
  }
}

TEST_CASE("a 250 to DATA is no delivery") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: DATA\nS: 250 ok\nHANG\n");
  CHECK(play.run().first().kind == Kind::protocol_error);
  CHECK_FALSE(play.first().maybe_delivered);
}

TEST_CASE("octet by octet is slow and right") {
  for (int form = 0; form < 3; ++form) {
    auto all = stages(Dialect::smtp, form == 1, form == 2);
    auto play = prepared(Dialect::smtp, form == 1, all.back().before + all.back().answer);
    play.server.trickle = true;
    play.run();
    CHECK(play.first().accepted());
    CHECK(play.usable);
  }
}

TEST_CASE("a long reply is cut and believed") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS-: 550 5.1.1 \nS+: 100000 x\nS: !\n");
  play.run();
  CHECK(play.first().status() == "5.1.1");
  CHECK(play.first().reply.text == std::string(kMaxReplyLine, 'x'));
  CHECK(play.usable);
}

TEST_CASE("a message has a time of its own, whatever the answers take") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nHANG\n");
  play.target.timeouts.message = 300ms;
  play.run();
  CHECK(play.first().kind == Kind::timed_out);
  CHECK(play.first().step == Step::rcpt);
}

TEST_CASE("a greeting of 4xx or 5xx is told with the server's words") {
  Play busy("S: 450 4.3.2 busy\n");
  CHECK(busy.run().failure.kind == Kind::transient);
  CHECK_FALSE(busy.connected);
  Play closed("S: 554-no mail\nS: 554 here\n");
  CHECK(closed.run().failure.permanent());
  CHECK(closed.failure.step == Step::greeting);
  CHECK(closed.failure.reply.sentence() == "554 no mail here");
}

TEST_CASE("nobody listening is a connection that was refused") {
  Play play("");
  io::Loop loop;
  auto socket = io::bind_to(*Endpoint::parse("127.0.0.1:0")).value();   // bound, not listening
  play.target.endpoint = io::local_of(socket.get());
  auto opened = loop.block_on(Connection::connect(play.target, play.tls));
  CHECK(opened.connection == nullptr);
  CHECK(opened.failure.kind == Kind::lost);
  CHECK(opened.failure.step == Step::connect);
  CHECK(opened.failure.status() == "4.4.1");
}

TEST_CASE("HELO is tried where EHLO is not known, but no LMTP server is asked for it") {
  Play old("S: 220 mx.test\nC: EHLO*\nS: 502 what\nC: HELO gate.test\nS: 250-mx.test\nS: 250 PIPELINING\n");
  old.messages = 0;
  CHECK(old.run().connected);
  CHECK_FALSE(old.offered.pipelining);
  Play none("S: 220 mx.test\nC: EHLO*\nS: 502 what\nC: HELO*\nS: 550 5.7.1 no\n");
  CHECK(none.run().failure.permanent());
  CHECK(none.failure.step == Step::hello);
  Play busy("S: 220 mx.test\nC: EHLO*\nS: 451 later\n");
  CHECK(busy.run().failure.kind == Kind::transient);
  Play smtp("S: 220 mx.test\nC: LHLO*\nS: 500 this is SMTP\n");
  CHECK(smtp.lmtp().run().failure.reply.text == "this is SMTP");
}

TEST_CASE("an LMTP server that closes before all answers leaves only the rest open") {
  Play play("S: 220 lmtp.test\nC: LHLO*\nS: 250-lmtp.test\nS: 250 PIPELINING\n"
            "C: MAIL*\nC: RCPT*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nBODY\n"
            "S: 250 2.0.0 done\nCLOSE\n");
  play.lmtp().to({"a@r.test", "b@r.test", "c@r.test"}).run();
  CHECK(play.outcomes[0].accepted());
  CHECK(play.outcomes[1].kind == Kind::lost);
  CHECK(play.outcomes[1].maybe_delivered);
  CHECK(play.outcomes[2].permanent());
}

TEST_CASE("a server that gives more answers than were asked for is not used again") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: DATA\nS: 354 go\nBODY\nS: 250 done\nS: 250 again\n");
  play.pause = 50ms;
  play.run();
  CHECK_FALSE(play.usable);
}

TEST_CASE("who refuses in the middle of the message and closes is heard") {
  // It takes nothing of the body, so that most of it is never sent.
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: DATA\nS: 354 go\nS: 552 5.3.4 too big\nCLOSE\n");
  play.body.assign(64, std::string(1 << 20, 'x'));
  play.run();
  CHECK(play.first().permanent());
  CHECK(play.first().step == Step::body);
  CHECK(play.first().status() == "5.3.4");
  CHECK_FALSE(play.usable);
}

TEST_CASE("who closes or hangs in the middle of the message has not got it") {
  for (bool hangs : {false, true}) {
    for (bool chunked : {false, true}) {
      auto script = chunked ? hello({"CHUNKING"}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: BDAT*\n"
                            : hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: DATA\nS: 354 go\n";
      Play play(script + (hangs ? "STOP\n" : "CLOSE\n"));
      play.body.assign(64, std::string(1 << 20, 'x'));
      play.impatient(Step::body).run();
      CHECK(play.first().kind == (hangs ? Kind::timed_out : Kind::lost));
      CHECK(play.first().step == Step::body);
      CHECK_FALSE(play.first().maybe_delivered);
    }
  }
}

TEST_CASE("a kept connection that the server has closed is not usable") {
  Play play(hello({}) + "C: MAIL*\nS: 250 ok\nC: RCPT*\nS: 250 ok\nC: DATA\nS: 354 go\nBODY\nS: 250 done\nCLOSE\n");
  play.pause = 50ms;
  play.run();
  CHECK(play.first().accepted());
  CHECK_FALSE(play.usable);
}

TEST_CASE("a refused MAIL stands when the server closes behind it") {
  Play play(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 554 5.7.1 no\nCLOSE\n");
  CHECK(play.run().first().status() == "5.7.1");
  CHECK_FALSE(play.usable);
}

TEST_CASE("a 421 among the answers to RCPT leaves the refusals before it") {
  Play play(hello({"PIPELINING"}) + "C: MAIL*\nC: RCPT*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 421 4.3.2 enough\nCLOSE\n");
  play.to({"a@r.test", "b@r.test", "c@r.test"}).run();
  CHECK(play.outcomes[0].status() == "5.1.1");
  CHECK(play.outcomes[1].status() == "4.3.2");
  CHECK(play.outcomes[2].status() == "4.3.2");
}

TEST_CASE("QUIT waits for a server that does not answer, but not long") {
  Play play(hello({}));
  play.messages = 0;
  play.quits = true;
  play.target.timeouts.quit = 100ms;
  play.server.script += "C: QUIT\nHANG\n";
  auto begin = std::chrono::steady_clock::now();
  CHECK(play.run().connected);
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  Play rubbish(hello({}) + "C: QUIT\nS: bye bye\nCLOSE\n");
  rubbish.messages = 0;
  rubbish.quits = true;
  CHECK(rubbish.run().connected);
}
