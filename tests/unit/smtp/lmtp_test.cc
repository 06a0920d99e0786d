// LMTP in, RFC 2033, and XFORWARD.
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

// Sends `body` for three RCPT of two recipients, behind the lines of `before`; the three replies to its end.
io::Task<Words> three_recipients(World& world, Words before = {}, std::string body = "Subject: x\r\n\r\ntext\r\n.", bool closes = false) {
  auto peer = co_await world.connect();
  co_await peer->reply();
  co_await peer->ask("LHLO relay.example");
  for (auto& line : before) co_await peer->ask(line);
  co_await peer->ask("MAIL FROM:<you@sender.example>");
  for (const char* to : {"ann@example.test", "bob@example.test", "ann@example.test"}) {
    auto answer = co_await peer->ask("RCPT TO:<" + std::string(to) + ">");
    CHECK(answer == "250 2.1.5 Recipient OK");
  }
  auto nobody = co_await peer->ask("RCPT TO:<nobody@example.test>");
  CHECK(nobody.substr(0, 9) == "550 5.1.1");
  co_await peer->ask("DATA");
  Words out;
  auto first = co_await peer->ask(std::move(body));
  out.push_back(std::move(first));
  for (int i = 0; i < 2; ++i) {
    auto next = co_await peer->reply();
    out.push_back(std::move(next));
  }
  if (!closes) {
    auto alive = co_await peer->ask("NOOP");
    CHECK(alive.substr(0, 3) == "250");
  }
  peer.reset();
  co_await world.wait_ended(1);
  co_return out;
}

struct LmtpWorld : World {
  LmtpWorld() {
    dialect = Dialect::lmtp;
    bob = store.add_account("bob@example.test");
  }
  std::size_t in(std::string_view account, store::SpecialUse use) {
    auto mailbox = store.mailbox(store.account(account)->id, use)->id;
    return loop.block_on(store.messages(mailbox, 1, 1000, 10)).value().size();
  }
  store::AccountId bob = 0;
};

}  // namespace

TEST_CASE("LMTP greets, takes LHLO alone, and offers what RFC 2033 demands") {
  LmtpWorld world;
  auto said = world.loop.block_on(dialogue(world, {"EHLO a.example", "HELO a.example", "LHLO a.example"}));
  CHECK(said[0] == "220 mx.example.test LMTP Postern");
  CHECK(said[1] == "500 5.5.1 This is LMTP: say LHLO");
  CHECK(said[2] == said[1]);
  CHECK(said[3] == "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
  World smtp;
  CHECK(smtp.loop.block_on(dialogue(smtp, {"LHLO a.example"}))[1].substr(0, 9) == "500 5.5.2");
}

TEST_CASE("LMTP answers for each recipient that was accepted, in their order") {
  LmtpWorld world;
  world.judge.answers.message.verdict = "ham";
  auto said = world.loop.block_on(three_recipients(world));
  CHECK(said[0].starts_with("250 2.0.0 <ann@example.test> Accepted as "));
  CHECK(said[1].starts_with("250 2.0.0 <bob@example.test> Accepted as "));
  CHECK(said[2] == said[0]);
  CHECK(world.in("ann@example.test", store::SpecialUse::inbox) == 1);
  CHECK(world.in("bob@example.test", store::SpecialUse::inbox) == 1);
}

TEST_CASE("what cannot be stored is told for each recipient") {
  LmtpWorld world;
  world.judge.answers.message.verdict = "ham";
  world.store.fail_with = store::Outcome::no_space;
  for (const auto& line : world.loop.block_on(three_recipients(world))) CHECK(line.starts_with("452 4.3.1 <"));
}

TEST_CASE("a body that is too big or has a bare LF is told for each recipient") {
  LmtpWorld small;
  small.settings.max_size = 10;
  for (const auto& line : small.loop.block_on(three_recipients(small))) CHECK(line.starts_with("552 5.3.4 <"));
  LmtpWorld world;
  auto said = world.loop.block_on(three_recipients(world, {}, "Subject: x\n\r\ntext\r\n.", true));
  for (const auto& line : said) CHECK(line.starts_with("521 5.5.2 <"));
}

TEST_CASE("BDAT is not offered by LMTP, and what follows it is not read as commands") {
  LmtpWorld world;
  auto said = world.loop.block_on(dialogue(world, {"LHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>", "BDAT 6 LAST"}));
  CHECK(said[4] == "502 5.5.1 BDAT is not offered by LMTP");
}

TEST_CASE("recipients are counted with those that were named twice") {
  LmtpWorld world;
  world.settings.recipients_per_message = 2;
  auto said = world.loop.block_on(dialogue(world, {"LHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>",
                                                   "RCPT TO:<ann@example.test>", "RCPT TO:<bob@example.test>"}));
  CHECK(said[4].substr(0, 3) == "250");
  CHECK(said[5] == "452 4.5.3 Too many recipients");
}

TEST_CASE("a relay is not sent away for its recipients' mistakes") {
  LmtpWorld world;
  world.settings.errors_per_session = 2;
  Words lines = {"LHLO a.example", "MAIL FROM:<you@sender.example>"};
  for (int i = 0; i < 5; ++i) lines.push_back("RCPT TO:<nobody@example.test>");
  for (int i = 0; i < 120; ++i) lines.push_back("NOOP");
  auto said = world.loop.block_on(dialogue(world, lines));
  CHECK(said[7].substr(0, 9) == "550 5.1.1");
  CHECK(said.back().substr(0, 3) == "250");
}

TEST_CASE("LMTP is not spoken with strangers") {
  LmtpWorld world;
  world.settings.proxy = {*Network::parse("127.0.0.0/8")};   // a proxy says nothing here
  auto ours = world.loop.block_on(dialogue(world, {}));
  CHECK(ours[0].substr(0, 3) == "220");
  LmtpWorld far;
  far.peer_address = "198.51.100.9";
  auto theirs = far.loop.block_on(dialogue(far, {}));
  CHECK(theirs[0] == "554 5.7.1 LMTP is for servers of ours; [smtp] trusted does not name 198.51.100.9");
  LmtpWorld named;
  named.peer_address = "198.51.100.9";
  named.settings.trusted = {*Network::parse("198.51.100.0/24")};
  CHECK(named.loop.block_on(dialogue(named, {}))[0].substr(0, 3) == "220");
}

TEST_CASE("a relay that does not name the client makes nothing known and nobody trusted") {
  LmtpWorld world;
  world.settings.trusted = {*Network::parse("127.0.0.0/8")};
  world.judge.answers.message.verdict = "ham";
  world.loop.block_on(three_recipients(world));
  for (const auto& client : world.judge.answers.seen) {
    CHECK_FALSE(client.known);
    CHECK_FALSE(client.trusted);
    CHECK(client.lmtp);
  }
}

TEST_CASE("a deferral is told, the relay keeps the message") {
  LmtpWorld world;
  world.judge.answers.mail.action = Action::defer;
  auto said = world.loop.block_on(dialogue(world, {"LHLO a.example", "MAIL FROM:<you@sender.example>"}));
  CHECK(said[2].substr(0, 3) == "451");
}

TEST_CASE("DATA without a recipient is refused") {
  LmtpWorld world;
  auto said = world.loop.block_on(dialogue(world, {"LHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<nobody@example.test>", "DATA"}));
  CHECK(said[4].substr(0, 9) == "503 5.5.1");
}

TEST_CASE("XFORWARD names the client of one transaction") {
  LmtpWorld world;
  world.judge.answers.message.verdict = "ham";
  world.loop.block_on(three_recipients(world, {"XFORWARD NAME=mail.sender.example ADDR=198.51.100.7 PORT=4711",
                                               "XFORWARD HELO=mail.sender.example PROTO=ESMTP IDENT=ABC SOURCE=REMOTE"}));
  const auto& seen = world.judge.answers.seen;
  REQUIRE(seen.size() == 2);   // at stages connect and message: the relay itself is not judged
  for (const auto& client : seen) {
    CHECK(client.ip.to_string() == "198.51.100.7");
    CHECK(client.helo == "mail.sender.example");
    CHECK(client.port == 4711);
    CHECK(client.known);
    CHECK_FALSE(client.trusted);
  }
}

TEST_CASE("whom XFORWARD does not know is unknown, who is local or in a trusted network is ours") {
  struct {
    const char* line;
    bool known, trusted;
  } cases[] = {{"XFORWARD ADDR=[UNAVAILABLE] SOURCE=REMOTE", false, false},
               {"XFORWARD ADDR=198.51.100.9 SOURCE=LOCAL", true, true},
               {"XFORWARD ADDR=192.0.2.9 SOURCE=REMOTE", true, true},
               {"XFORWARD HELO=a.example", false, false}};
  for (const auto& c : cases) {
    INFO(c.line);
    LmtpWorld world;
    world.settings.trusted = {*Network::parse("192.0.2.0/24")};
    world.judge.answers.message.verdict = "ham";
    world.loop.block_on(three_recipients(world, {c.line}));
    CHECK(world.judge.answers.seen.back().known == c.known);
    CHECK(world.judge.answers.seen.back().trusted == c.trusted);
  }
}

TEST_CASE("what XFORWARD said ends with RSET, LHLO and the transaction, not with the relay's own name") {
  for (const char* end : {"RSET", "LHLO b.example", "DATA"}) {
    INFO(end);
    LmtpWorld world;
    world.judge.answers.message.verdict = "ham";
    Words lines = {"LHLO a.example", "XFORWARD ADDR=198.51.100.7", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>", end};
    if (std::string_view(end) == "DATA") lines.push_back("Subject: x\r\n\r\ntext\r\n.");
    lines.push_back("MAIL FROM:<you@sender.example>");
    auto said = world.loop.block_on(dialogue(world, lines));
    CHECK(said.back().substr(0, 3) == "250");
    CHECK(world.judge.answers.seen.front().ip.to_string() == "198.51.100.7");
    CHECK(world.judge.answers.seen.back().ip.to_string() == "127.0.0.1");
    CHECK_FALSE(world.judge.answers.seen.back().known);
  }
}

TEST_CASE("over SMTP XFORWARD belongs to the networks of xclient, and may refuse for whom it names") {
  World world;
  auto refused = world.loop.block_on(dialogue(world, {"EHLO a.example", "XFORWARD ADDR=198.51.100.7"}));
  CHECK(refused[2] == "500 5.5.2 Command not recognized");
  World ours;
  ours.settings.xclient = {*Network::parse("127.0.0.0/8")};
  ours.judge.answers.refuses_at_connect = "198.51.100.7";
  auto said = ours.loop.block_on(dialogue(ours, {"EHLO a.example", "XFORWARD ADDR=198.51.100.7", "MAIL FROM:<you@sender.example>", "RSET",
                                                 "MAIL FROM:<you@sender.example>", "RSET", "XFORWARD ADDR=198.51.100.7",
                                                 "XCLIENT ADDR=203.0.113.5", "EHLO b.example", "MAIL FROM:<you@sender.example>"}));
  CHECK(said[1] == "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
  CHECK(said[3].starts_with("550 5.7.1 not you (id "));
  CHECK(said[5].substr(0, 3) == "250");
  CHECK(said[8].substr(0, 3) == "220");
  CHECK(said[10].substr(0, 3) == "250");   // XCLIENT begins anew: XFORWARD is forgotten
  CHECK(ours.judge.answers.seen.back().ip.to_string() == "203.0.113.5");
}

TEST_CASE("broken XFORWARD lines are refused with their reason") {
  LmtpWorld world;
  auto said = world.loop.block_on(dialogue(world, {"LHLO a.example", "XFORWARD", "XFORWARD ADDR", "XFORWARD ADDR=x", "XFORWARD LOGIN=a", "XFORWARD SHOE=44",
                                                   "XFORWARD HELO=+ZZ"}));
  for (std::size_t i = 2; i < said.size(); ++i) CHECK(said[i].substr(0, 9) == "501 5.5.4");
}
