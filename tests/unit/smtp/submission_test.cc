// Submission, RFC 6409: who may send, as whom, to whom, and what is added.
#include "gateway/delivery/abuse.h"
#include "gateway/delivery/route.h"
#include "gateway/directory/logins.h"
#include "gateway/directory/passwords.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

// "\0ann@example.test\0secret" and with another password.
constexpr const char* kAnn = "AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAc2VjcmV0";
constexpr const char* kWrong = "AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAc2VjcmU=";

struct SubmissionWorld : World {
  SubmissionWorld() {
    dialect = Dialect::submission;
    auto ann = *store.account("ann@example.test");
    ann.password_row = directory::make_password_row("secret").value();
    loop.block_on(store.update_account(ann));
    store.add_account("bob@example.test");
    directory::LoginOptions options;
    options.address.first_delay = options.account.first_delay = options.network.first_delay = 1ms;
    logins = std::make_unique<directory::Logins>(*directory, options);
    services.logins = logins.get();
    services.allow_plaintext_login = true;
    services.routes = &routes;
    judge.answers.message.verdict = "ham";
  }
  // Sessions wait for the workers of the logins.
  ~SubmissionWorld() { loop.block_on(postern::test::ended(loop)); }

  Words talk(Words lines) { return loop.block_on(dialogue(*this, std::move(lines))); }
  std::vector<store::MessageRow> in(std::string_view account, store::SpecialUse use) {
    auto mailbox = store.mailbox(store.account(account)->id, use)->id;
    return loop.block_on(store.messages(mailbox, 1, 1000, 10)).value();
  }
  std::string octets(const store::MessageRow& row) { return loop.block_on(store.read(row, 0, row.size())).value(); }

  delivery::Routes routes{config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n", "p.toml").config};
  std::unique_ptr<directory::Logins> logins;
};

}  // namespace

TEST_CASE("nothing is taken before a login, and no password without TLS") {
  SubmissionWorld world;
  auto said = world.talk({"EHLO a.example", "MAIL FROM:<ann@example.test>", "RCPT TO:<bob@example.test>", "AUTH CRAM-MD5", "HELO a.example", kAnn});
  CHECK(said[2].starts_with("530 5.7.0 "));
  CHECK(said[3].starts_with("503 5.5.1 "));
  CHECK(said[4].starts_with("504 5.5.4 "));
  CHECK(said[6] == "503 5.5.1 EHLO first");
  SubmissionWorld strict;
  strict.services.allow_plaintext_login = false;
  CHECK(strict.talk({"EHLO a.example", kAnn})[2].starts_with("538 5.7.11 "));
}

TEST_CASE("AUTH is no command of the port for strangers") {
  SubmissionWorld world;
  world.dialect = Dialect::smtp;
  auto said = world.talk({"EHLO a.example", kAnn, "MAIL FROM:<you@sender.example> AUTH=<>"});
  CHECK(said[2].starts_with("502 5.5.1 "));
  CHECK(said[3].starts_with("555 5.5.4 "));
}

TEST_CASE("wrong passwords are counted, and the third one ends the connection") {
  SubmissionWorld world;
  auto said = world.talk({"EHLO a.example", kWrong, kWrong, kWrong});
  for (int i = 2; i < 5; ++i) CHECK(said[i] == "535 5.7.8 Wrong user name or password");
  CHECK(world.ended == 1);
}

TEST_CASE("a name with too many failures hears that it is temporary") {
  SubmissionWorld world;
  directory::LoginOptions options;
  options.address.refuse_at = options.account.refuse_at = 1;
  options.address.free = options.account.free = 10;
  directory::Logins strict(*world.directory, options);
  world.services.logins = &strict;
  auto said = world.talk({"EHLO a.example", kWrong, kAnn});
  CHECK(said[2].starts_with("535 5.7.8 "));
  CHECK(said[3].starts_with("454 4.7.0 Too many failed logins"));
  world.loop.block_on(postern::test::ended(world.loop));
}

TEST_CASE("a login survives EHLO and RSET, and a second one is out of place") {
  SubmissionWorld world;
  auto said = world.talk({"EHLO a.example", kAnn, "RSET", "EHLO b.example", kAnn, "MAIL FROM:<ann@example.test>"});
  CHECK(said[2] == "235 2.7.0 Logged in");
  CHECK(said[5] == "503 5.5.1 You are logged in already");
  CHECK(said[6].starts_with("250 "));
}

TEST_CASE("who is logged in sends to anybody, and what is missing is added before it is judged") {
  SubmissionWorld world;
  auto said = world.talk({"EHLO laptop", kAnn, "MAIL FROM:<ann+x@example.test>", "RCPT TO:<you@far.example>", "RCPT TO:<bob@example.test>", "DATA",
                          "From: Ann <ann@example.test>\r\nSubject: hello\r\n\r\ntext\r\n."});
  CHECK(said[7].starts_with("250 2.0.0 Accepted as "));
  const auto& judged = world.judge.answers.seen.back();
  CHECK(judged.login == "ann@example.test");
  CHECK(judged.outgoing());
  auto inbox = world.in("bob@example.test", store::SpecialUse::inbox);
  REQUIRE(inbox.size() == 1);
  auto text = world.octets(inbox[0]);
  CHECK(text.find("Received: from laptop") != std::string::npos);
  CHECK(text.find("with ESMTPA ") != std::string::npos);
  CHECK(text.substr(inbox[0].header_prefix.size()).starts_with("Date: "));
  CHECK(text.find("\r\nMessage-ID: <" + inbox[0].id + "@mx.example.test>\r\n") != std::string::npos);
  auto queue = world.loop.block_on(world.store.queue(0, 10)).value();
  REQUIRE(queue.size() == 1);
  CHECK(queue[0].destination == "far.example");
  // The same octets: a signature over the record covers what was added.
  CHECK(queue[0].record_octets == inbox[0].record_octets);
  CHECK(queue[0].header_prefix.starts_with("Received: "));
  CHECK(queue[0].header_prefix.find("X-Postern") == std::string::npos);
}

TEST_CASE("who is logged in hears at RCPT to whom he cannot write, why, and who can change it") {
  SubmissionWorld world;
  delivery::AbuseDesk desk({world.store, *world.directory, nullptr, "mx.example.test"});
  world.services.abuse = &desk;
  auto suppress = [&](std::string address, store::AccountId account, std::string words) {
    delivery::Suppression made;
    made.address = std::move(address);
    made.account = account;
    made.words = std::move(words);
    CHECK(world.loop.block_on(desk.suppress(made)).ok());
  };
  suppress("gone@far.example", 0, "left the company\r\n250 2.1.5 ok");
  suppress("angry@far.example", world.store.account("bob@example.test")->id, "");
  auto said = world.talk({"EHLO laptop", kAnn, "MAIL FROM:<ann@example.test>", "RCPT TO:<Gone@FAR.example>", "RCPT TO:<angry@far.example>", "RCPT TO:<you@far.example>"});
  CHECK(said[4].starts_with("550 5.7.1 <Gone@far.example>: mail there is not sent since 20"));
  CHECK(said[4].find(": left the company\\x0d\\x0a250 2.1.5 ok; your administrator can lift this (postern suppression remove)") != std::string::npos);
  CHECK(said[5].starts_with("250 "));
  CHECK(said[6].starts_with("250 "));
  CHECK(desk.figures().refused == 1);
}

TEST_CASE("a large message without Date is completed too") {
  SubmissionWorld world;
  std::string body = "From: ann@example.test\r\nMessage-ID: <1@a>\r\n\r\n";
  while (body.size() < 600'000) body += std::string(70, 'x') + "\r\n";
  auto said = world.talk({"EHLO laptop", kAnn, "MAIL FROM:<ann@example.test>", "RCPT TO:<bob@example.test>", "DATA", body + "."});
  CHECK(said[6].starts_with("250 "));
  auto text = world.octets(world.in("bob@example.test", store::SpecialUse::inbox)[0]);
  CHECK(text.find("\r\nDate: ") != std::string::npos);
  CHECK(text.ends_with(body));
}

TEST_CASE("a complete message stays as it is") {
  SubmissionWorld world;
  std::string body = "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: ann@example.test\r\nMessage-ID: <1@a>\r\n\r\ntext\r\n";
  world.talk({"EHLO laptop", kAnn, "MAIL FROM:<>", "RCPT TO:<bob@example.test>", "DATA", body + "."});
  auto inbox = world.in("bob@example.test", store::SpecialUse::inbox);
  REQUIRE(inbox.size() == 1);
  CHECK(inbox[0].record_octets == body.size());
}

TEST_CASE("the sender must be the login, in the envelope and in the header") {
  SubmissionWorld world;
  auto header = [&](const std::string& fields) {
    auto said = world.talk({"EHLO laptop", kAnn, "MAIL FROM:<>", "RCPT TO:<bob@example.test>", "DATA", fields + "\r\n\r\n."});
    return said[6];
  };
  CHECK(world.talk({"EHLO laptop", kAnn, "MAIL FROM:<bob@example.test>"})[3].starts_with("553 5.7.1 ann@example.test may not send as <bob@example.test> (id "));
  for (const auto* fields : {"From: bob@example.test", "From: ann@example.test, bob@example.test", "From: ann@example.test\r\nSender: bob@example.test",
                             "From: team: ann@example.test, bob@example.test;", "From: <@ann@example.test:bob@example.test>"}) {
    INFO(fields);
    CHECK(header(fields).starts_with("550 5.7.1 ann@example.test may not send as <"));
  }
  for (const auto* fields : {"Subject: nobody", "From: ann@example.test\r\nFrom: ann@example.test", "From: a: ;", "From:"}) {
    INFO(fields);
    CHECK(header(fields).starts_with("554 5.6.0 The "));
  }
  CHECK(header("From: \"Ann, of course\" <ANN+tag@Example.Test>\r\nSender: ann@example.test").starts_with("250 "));
  CHECK(world.in("bob@example.test", store::SpecialUse::inbox).size() == 1);
}
