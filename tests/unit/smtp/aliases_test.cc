// RCPT to what leads to others: aliases, forwards, bounces to rewritten senders.
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/route.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

const config::Config kConfig = config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n", "p.toml").config;

struct AliasWorld : World {
  delivery::Routes routes{kConfig};
  AliasWorld() {
    services.routes = &routes;
    for (const char* user : {"bob@example.test", "postmaster@example.test"}) store.add_account(user);
    REQUIRE(loop.block_on(directory->prepare()));
    alias("sales@example.test", {"ann@example.test", "bob@example.test", "far@x.org"});
    alias("pair@example.test", {"ann@example.test", "bob@example.test"});
    judge.answers.message.verdict = "ham";
  }
  void alias(const std::string& address, std::vector<std::string> targets) {
    REQUIRE(loop.block_on(directory->set_alias(address, std::move(targets))));
  }
  void forward(bool keep) {
    directory::Forward value{{"far@x.org"}, keep};
    REQUIRE(loop.block_on(directory->set_forward("ann@example.test", std::move(value))));
  }
  // The answers from MAIL on.
  Words message(Words recipients, std::string sender = "you@sender.example", std::string header = "Subject: x\r\n") {
    Words lines{dialect == Dialect::lmtp ? "LHLO a.example" : "EHLO a.example", "MAIL FROM:<" + sender + ">"};
    for (const auto& to : recipients) lines.push_back("RCPT TO:<" + to + ">");
    lines.push_back("DATA");
    lines.push_back(header + "\r\ntext\r\n.");
    auto said = loop.block_on(dialogue(*this, lines));
    said.erase(said.begin(), said.begin() + 2);
    return said;
  }
  std::size_t in(std::string_view account, store::SpecialUse use = store::SpecialUse::inbox) {
    auto mailbox = store.mailbox(store.account(account)->id, use)->id;
    return loop.block_on(store.messages(mailbox, 1, 1000, 10)).value().size();
  }
  std::vector<store::QueueEntry> queue() { return loop.block_on(store.queue(0, 100)).value(); }
};

}  // namespace

TEST_CASE("whom an alias reaches is a recipient of his own, and stage rcpt runs once") {
  AliasWorld world;
  auto said = world.message({"Sales@example.test"});
  CHECK(said[1] == "250 2.1.5 Recipient OK");
  CHECK(said.back().substr(0, 3) == "250");
  CHECK(world.judge.answers.recipients == 1);
  const auto& envelope = world.judge.answers.envelope;
  REQUIRE(envelope.size() == 3);
  for (const auto& recipient : envelope) CHECK(recipient.rcpt() == "Sales@example.test");
  CHECK(envelope[0].account == "ann@example.test");
  CHECK(envelope[2].address == "far@x.org");
  CHECK(envelope[2].onward == "x.org");
  CHECK(envelope[2].sent_by == "sales@example.test");
  for (const auto& recipient : envelope) CHECK(recipient.orcpt == "rfc822;Sales@example.test");
  CHECK(world.in("ann@example.test") == 1);
  CHECK(world.in("bob@example.test") == 1);
  auto queue = world.queue();
  REQUIRE(queue.size() == 1);
  CHECK(queue[0].destination == "x.org");
  CHECK(queue[0].header_prefix.find("for <Sales@example.test>") != std::string::npos);
  auto state = delivery::decode_state(queue[0].state);
  REQUIRE(state);
  CHECK(state->sender.starts_with("SRS0="));
  CHECK(world.directory->resolve(state->sender).original == "you@sender.example");
}

TEST_CASE("whatever leads to somebody, he gets one copy") {
  AliasWorld world;
  world.message({"ann@example.test", "pair@example.test", "sales@example.test", "pair@example.test"});
  CHECK(world.judge.answers.envelope.size() == 3);
  CHECK(world.judge.answers.recipients == 3);
  CHECK(world.in("ann@example.test") == 1);
  CHECK(world.in("bob@example.test") == 1);
  CHECK(world.queue().size() == 1);
}

TEST_CASE("LMTP answers each RCPT once, whomever it leads to") {
  AliasWorld world;
  world.dialect = Dialect::lmtp;
  auto said = world.message({"pair@example.test", "bob@example.test"});
  CHECK(said.back().starts_with("250 2.0.0 <pair@example.test>"));   // the second one follows
  CHECK(world.in("bob@example.test") == 1);
}

TEST_CASE("the limit counts RCPT commands, not those whom they reach") {
  AliasWorld world;
  world.settings.recipients_per_message = 2;
  auto said = world.message({"sales@example.test", "pair@example.test", "ann@example.test"});
  CHECK(said[1].substr(0, 3) == "250");
  CHECK(said[2].substr(0, 3) == "250");
  CHECK(said[3].substr(0, 9) == "452 4.5.3");
  CHECK(world.judge.answers.envelope.size() == 3);
}

TEST_CASE("an alias that leads to nobody is deferred") {
  AliasWorld world;
  world.alias("gone@example.test", {"pair@example.test"});
  world.store.general.erase("alias:pair@example.test");
  REQUIRE(world.loop.block_on(world.directory->load()));
  CHECK(world.message({"gone@example.test"})[1].substr(0, 9) == "451 4.3.0");
}

TEST_CASE("a forward sends what is good on, and keeps a copy only where that is wanted") {
  for (bool keep : {false, true}) {
    AliasWorld world;
    world.forward(keep);
    auto said = world.message({"ann+x@example.test"});
    CHECK(said.back().substr(0, 3) == "250");
    CHECK(world.in("ann@example.test") == (keep ? 1U : 0U));
    CHECK(world.queue().size() == 1);
  }
}

TEST_CASE("what comes back is not sent on again") {
  AliasWorld world;
  world.forward(false);
  auto said = world.message({"ann@example.test"}, "you@sender.example", "Delivered-To: Ann@example.test\r\nSubject: x\r\n");
  CHECK(said.back().substr(0, 3) == "250");
  CHECK(world.in("ann@example.test") == 1);
  CHECK(world.queue().empty());
}

TEST_CASE("what an alias has sent out and comes back is refused, or held where others are to get it too") {
  AliasWorld world;
  auto said = world.message({"sales@example.test"}, "you@sender.example", "Delivered-To: sales@example.test\r\nSubject: x\r\n");
  CHECK(said.back().substr(0, 9) == "554 5.4.6");
  said = world.message({"bob@example.test", "sales@example.test"}, "you@sender.example", "Delivered-To: sales@example.test\r\nSubject: x\r\n");
  CHECK(said.back().substr(0, 3) == "250");
  CHECK(world.in("bob@example.test") == 1);
  CHECK(world.in("postmaster@example.test", store::SpecialUse::quarantine) == 1);
  CHECK(world.queue().empty());
}

TEST_CASE("a bounce to what was sent on goes on to who wrote, and is all that such an address takes") {
  AliasWorld world;
  auto sender = *world.directory->sender_of_forwarded("you@sender.example", "ann@example.test");
  auto said = world.message({sender}, "");
  CHECK(said.back().substr(0, 3) == "250");
  auto queue = world.queue();
  REQUIRE(queue.size() == 1);
  auto state = delivery::decode_state(queue[0].state);
  CHECK(state->sender.empty());
  CHECK(state->recipients.at(0).address == "you@sender.example");
  CHECK(world.message({sender})[1].starts_with("550 5.7.1 <" + sender + ">: this address takes bounces only (id "));
  auto forged = sender;
  forged[6] = forged[6] == 'A' ? 'B' : 'A';
  CHECK(world.message({forged}, "")[1].substr(0, 9) == "550 5.7.1");
  CHECK(world.queue().size() == 1);
}
