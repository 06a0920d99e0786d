// Held on the way out, and let go.
#include "gateway/delivery/outgoing.h"

#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/let_go.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/io/loop.h"
#include "gateway/store/names.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::delivery;

namespace {

struct World {
  World() {
    auto quarantine = store.add_account("quarantine");
    ann = *store.account(store.add_account("ann@example.test"));
    bob = *store.account(store.add_account("bob@example.test"));
    auto config = config::parse("hostname = \"mx.example.test\"\npostmaster = \"bob@example.test\"\n[domains.\"example.test\"]\n", "p.toml").config;
    directory = std::make_unique<directory::Directory>(config, store);
    deliverer = std::make_unique<Deliverer>(store, *directory, "mx.example.test", quarantine);
    deliverer->count_by(ledger);
  }

  std::shared_ptr<Judged> message(const std::string& id = "7Q3K2") {
    auto out = std::make_shared<Judged>();
    out->id = id;
    out->client.ip = *IpAddress::parse("203.0.113.5");
    out->client.helo = "laptop";
    out->client.esmtp = true;
    out->client.login = "ann@example.test";
    out->client.submission = true;
    out->sender.address = "ann+x@example.test";
    out->received = Octets(std::string("From: ann@example.test\r\nSubject: hi\r\n\r\nbody\r\n"));
    out->when = from_unix(1'795'492'742);
    for (const auto* address : {"bob@example.test", "you@far.example"}) {
      smtp::Recipient recipient;
      recipient.address = address;
      recipient.account = address;
      if (out->recipients.size() == 1) recipient.onward = "far.example";
      recipient.confirmed = recipient.onward.empty();
      out->recipients.push_back(recipient);
      out->verdict.recipients.emplace_back().address = address;
    }
    return out;
  }
  store::Change deliver(std::shared_ptr<Judged> message) { return loop.block_on(deliverer->deliver(std::move(message), "Accepted")); }
  void limit(std::uint64_t messages) {
    config::Submission submission;
    submission.limits = {messages, 0, 0};
    ledger.configure(submission);
  }
  std::vector<store::MessageRow> in(const store::Account& account, std::string_view name) {
    auto mailbox = store.mailbox(account.id, name);
    return mailbox ? loop.block_on(store.messages(mailbox->id, 1, 1000, 1000)).value() : std::vector<store::MessageRow>();
  }
  std::string text(const store::MessageRow& row) { return loop.block_on(store.read(row, 0, row.size())).value(); }
  std::vector<store::QueueEntry> queue() { return loop.block_on(store.queue(0, 100)).value(); }
  Result<LetGo> send_held() { return loop.block_on(let_go(store, *deliverer, ann)); }

  io::Loop loop;
  test::MemoryStore store;
  store::Account ann, bob;
  SendLedger ledger{store};
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<Deliverer> deliverer;
};

}  // namespace

TEST_CASE("what is kept of a held message brings back its envelope, and trusts nothing") {
  World world;
  auto message = world.message();
  message->sender.smtputf8 = true;
  message->client.tls = {"TLSv1.3", "TLS_AES_256_GCM_SHA384"};
  message->sender.ret = "HDRS";
  message->sender.envid = "QQ314159";
  auto& far = message->recipients[1];
  far.notify = *mail::parse_notify("SUCCESS,DELAY");
  far.orcpt = "rfc822;sales@example.test";
  far.given = "sales@example.test";
  far.sent_by = "sales@example.test";
  far.forward = {"a@far.example", "b@far.example"};
  far.keep = false;
  auto text = encode_outgoing(*message, {1});
  auto back = decode_outgoing(text);
  REQUIRE(back);
  REQUIRE(back->recipients.size() == 1);
  CHECK(back->recipients[0].address == "you@far.example");
  CHECK(back->recipients[0].onward == "far.example");
  CHECK_FALSE(back->recipients[0].confirmed);
  CHECK(back->recipients[0].notify == far.notify);
  CHECK(back->recipients[0].orcpt == far.orcpt);
  CHECK(back->recipients[0].rcpt() == "sales@example.test");
  CHECK(back->recipients[0].sent_by == "sales@example.test");
  CHECK(back->recipients[0].forward == far.forward);
  CHECK_FALSE(back->recipients[0].keep);
  CHECK(back->sender.ret == "HDRS");
  CHECK(back->sender.envid == "QQ314159");
  CHECK(back->sender.address == "ann+x@example.test");
  CHECK(back->sender.smtputf8);
  CHECK(back->client.login == "ann@example.test");
  CHECK(back->client.outgoing());
  CHECK(back->client.tls.version == "TLSv1.3");
  CHECK(back->when == message->when);
  for (std::size_t i = 0; i < text.size(); ++i) CHECK_FALSE(decode_outgoing(text.substr(0, i)));
  CHECK_FALSE(decode_outgoing(text + "x"));
}

TEST_CASE("what passes the limit lies in the sender's Held, with one note for the postmaster, and nothing goes") {
  World world;
  world.limit(1);
  REQUIRE(world.deliver(world.message("FIRST")).ok());
  REQUIRE(world.deliver(world.message("SECOND")).ok());
  REQUIRE(world.deliver(world.message("THIRD")).ok());   // from a connection that was open
  auto held = world.in(world.ann, "Held");
  REQUIRE(held.size() == 2);
  REQUIRE(held[0].held);
  CHECK(held[0].held->message_class == "policy");
  CHECK(held[0].held->reason == "more than 1 messages within an hour");
  CHECK_FALSE(held[0].held->outgoing.empty());
  CHECK(world.text(held[0]).starts_with("Received: from laptop"));
  CHECK(world.text(held[0]).find("\r\nX-Postern-Why: submission quarantine: more than 1 messages within an hour ([submission])\r\n") != std::string::npos);
  CHECK(world.queue().size() == 1);
  auto inbox = world.in(world.bob, "INBOX");
  REQUIRE(inbox.size() == 2);   // the first message and the note
  auto note = world.text(inbox[1]);
  CHECK(note.find("Subject: Sending by ann@example.test was stopped\r\n") != std::string::npos);
  CHECK(note.find("more than 1 messages within an hour") != std::string::npos);
  CHECK(note.find("203.0.113.5") != std::string::npos);
  CHECK(world.ledger.stopped(world.ann.id));
  CHECK(world.store.general.at("trace:SECOND").find("\"quarantine\"") != std::string::npos);
}

TEST_CASE("a commit that fails stops nobody, and the same message stops him later") {
  World world;
  world.limit(1);
  REQUIRE(world.deliver(world.message("FIRST")).ok());
  world.store.fail_with = store::Outcome::no_space;
  CHECK_FALSE(world.deliver(world.message("SECOND")).ok());
  CHECK_FALSE(world.ledger.stopped(world.ann.id));
  world.store.fail_with = store::Outcome::done;
  REQUIRE(world.deliver(world.message("SECOND")).ok());
  CHECK(world.ledger.stopped(world.ann.id));
  CHECK(world.in(world.ann, "Held").size() == 1);
  World blind;
  blind.store.unreadable = true;   // what was counted is not known: nothing is taken
  CHECK_FALSE(blind.deliver(blind.message()).ok());
}

TEST_CASE("what a rule quarantines for one recipient is held for him alone") {
  World world;
  world.limit(0);
  auto message = world.message();
  message->verdict.recipients[1].action = smtp::Action::quarantine;
  message->verdict.recipients[1].quarantine_class = "spam";
  REQUIRE(world.deliver(message).ok());
  CHECK(world.in(world.bob, "INBOX").size() == 1);
  CHECK(world.queue().empty());
  auto held = world.in(world.ann, "Held");
  REQUIRE(held.size() == 1);
  CHECK(held[0].held->message_class == "spam");
  CHECK_FALSE(world.ledger.stopped(world.ann.id));
  CHECK(world.in(world.bob, "Quarantine").empty());
  CHECK_FALSE(world.store.account("you@far.example"));
}

TEST_CASE("a virus lies in its sender's Held, not with its recipients") {
  World world;
  world.limit(0);
  auto message = world.message();
  for (auto& copy : message->verdict.recipients) {
    copy.action = smtp::Action::quarantine;
    copy.quarantine_class = "virus";
  }
  REQUIRE(world.deliver(message).ok());
  CHECK(world.in(world.ann, "Held").size() == 1);
  CHECK(world.in(world.bob, "Quarantine").empty());
  CHECK(world.in(*world.store.account("quarantine"), "Quarantine").empty());
  auto sent = world.send_held();
  REQUIRE(sent);
  CHECK(sent->sent == 0);
  CHECK(sent->viruses == 1);
  CHECK(world.in(world.ann, "Held").size() == 1);
}

TEST_CASE("what is let go arrives once, as it would have before") {
  World world;
  world.limit(1);
  world.deliver(world.message("FIRST"));
  world.deliver(world.message("SECOND"));
  auto sent = world.send_held();
  REQUIRE(sent);
  CHECK(sent->sent == 1);
  CHECK(world.in(world.ann, "Held").empty());
  CHECK(world.queue().size() == 2);
  CHECK(decode_state(world.queue()[1].state)->sender == "ann+x@example.test");
  auto inbox = world.in(world.bob, "INBOX");
  REQUIRE(inbox.size() == 3);   // two messages and the note
  CHECK(world.text(inbox[2]).find("Received: from laptop") != std::string::npos);
  CHECK(world.text(inbox[2]).ends_with("\r\nFrom: ann@example.test\r\nSubject: hi\r\n\r\nbody\r\n"));
  CHECK(world.ledger.stopped(world.ann.id));   // that is another command's
  CHECK(world.send_held().value().sent == 0);
}

TEST_CASE("what was sent before a crash is not sent again") {
  World world;
  world.limit(1);
  world.deliver(world.message("FIRST"));
  world.deliver(world.message("SECOND"));
  auto held = world.in(world.ann, "Held");
  REQUIRE(held.size() == 1);
  world.store.general["let-go:" + std::to_string(held[0].mailbox) + ":" + std::to_string(held[0].uid)] = "ID";
  CHECK(world.send_held().value().sent == 1);
  CHECK(world.queue().size() == 1);
  CHECK(world.in(world.ann, "Held").empty());
  for (const auto& [key, value] : world.store.general) CHECK_FALSE(key.starts_with("let-go:"));
}

TEST_CASE("a held message that cannot be read stays, and the answer names it") {
  World world;
  world.limit(1);
  world.deliver(world.message("FIRST"));
  world.deliver(world.message("SECOND"));
  world.deliver(world.message("THIRD"));
  world.store.damage = world.in(world.ann, "Held")[0].uid;
  auto sent = world.send_held();
  REQUIRE(sent);
  CHECK(sent->sent == 1);   // the third
  CHECK(sent->left == 1);
  CHECK(sent->problem == "message SECOND: the record is damaged");
  CHECK(world.in(world.ann, "Held").size() == 1);
  world.store.unreadable = true;
  CHECK_FALSE(world.send_held());
}

TEST_CASE("what is discarded lies in Trash") {
  World world;
  world.limit(1);
  world.deliver(world.message("FIRST"));
  world.deliver(world.message("SECOND"));
  CHECK(world.loop.block_on(discard_held(world.store, world.ann)).value() == 1);
  CHECK(world.in(world.ann, "Held").empty());
  CHECK(world.in(world.ann, "Trash").size() == 1);
  CHECK(world.loop.block_on(discard_held(world.store, world.bob)).value() == 0);
}

TEST_CASE("a copy in Sent is the message as it was sent, seen, and only of what goes") {
  World world;
  world.limit(1);
  world.deliverer->save_to_sent(true);
  world.deliver(world.message("FIRST"));
  world.deliver(world.message("SECOND"));
  auto sent = world.in(world.ann, "Sent");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].id == "FIRST");
  CHECK((sent[0].flags.system & store::flag::seen) != 0);
  CHECK(world.text(sent[0]) == "From: ann@example.test\r\nSubject: hi\r\n\r\nbody\r\n");
  CHECK(world.send_held().value().sent == 1);
  CHECK(world.in(world.ann, "Sent").size() == 2);
}
