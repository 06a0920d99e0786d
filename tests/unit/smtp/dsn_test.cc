// What a sender asks of reports in his session, and a session whose answer is that of the host behind.
#include <algorithm>

#include "gateway/delivery/connector.h"
#include "gateway/delivery/route.h"
#include "gateway/delivery/through.h"
#include "gateway/dns/fixed_resolver.h"
#include "tests/unit/delivery/host.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

std::vector<std::string> inbox(World& world, const char* address) {
  std::vector<std::string> out;
  auto box = world.store.mailbox(world.store.account(address)->id, store::SpecialUse::inbox);
  auto rows = world.loop.block_on(world.store.messages(box->id, 1, UINT32_MAX, 100));
  for (const auto& row : *rows) out.push_back(*world.loop.block_on(world.store.read(row, 0, row.size())));
  return out;
}

Words message_with(const std::string& mail, const std::string& rcpt) {
  return {"EHLO a.example", "MAIL FROM:<bob@example.test>" + mail, "RCPT TO:<ann@example.test>" + rcpt, "DATA", "Subject: hi\r\n\r\ntext\r\n."};
}

}  // namespace

TEST_CASE("a sender who asked is told in his own mailbox that his message is in another") {
  World world;
  world.store.add_account("bob@example.test");
  world.judge.answers.message.sender_proved = true;
  auto said = world.loop.block_on(dialogue(world, message_with(" ENVID=E+2B1 RET=hdrs", " notify=success ORCPT=rfc822;ann@other.example")));
  CHECK(said.back().starts_with("250 "));
  auto told = inbox(world, "bob@example.test");
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("Action: delivered\r\n") != std::string::npos);
  CHECK(told[0].find("Original-Envelope-Id: E+1\r\n") != std::string::npos);
  CHECK(told[0].find("Original-Recipient: rfc822; ann@other.example\r\n") != std::string::npos);
  CHECK(inbox(world, "ann@example.test").size() == 1);
  for (const char* notify : {"", " NOTIFY=NEVER", " NOTIFY=FAILURE,DELAY"}) world.loop.block_on(dialogue(world, message_with("", notify)));
  CHECK(inbox(world, "bob@example.test").size() == 1);
}

TEST_CASE("a sender of whom nothing shows who he is is told nothing") {
  World world;
  world.store.add_account("bob@example.test");
  auto said = world.loop.block_on(dialogue(world, message_with("", " NOTIFY=SUCCESS")));
  CHECK(said.back().starts_with("250 "));
  CHECK(inbox(world, "bob@example.test").empty());
}

TEST_CASE("parameters that are none leave the transaction as it was") {
  World world;
  auto said = world.loop.block_on(dialogue(world, {"EHLO a.example", "MAIL FROM:<a@b.example> RET=SOME", "MAIL FROM:<a@b.example> ENVID=x ENVID=y",
                                                   "MAIL FROM:<a@b.example> RET=FULL", "RCPT TO:<ann@example.test> NOTIFY=", "RCPT TO:<ann@example.test> ORCPT=x",
                                                   "RCPT TO:<ann@example.test> NOTIFY=NEVER NOTIFY=NEVER", "DATA", "RCPT TO:<ann@example.test> NOTIFY=NEVER"}));
  for (std::size_t i : {2U, 3U, 5U, 6U, 7U}) CHECK(said[i].starts_with("501 5.5.4 "));
  CHECK(said[4].starts_with("250 "));
  CHECK(said[8].starts_with("503 "));
  CHECK(said[9].starts_with("250 "));
}

namespace {

struct WithHost {   // outlives the sessions
  delivery::test::Host host;
};

// "corp.test" is handed through to the host.
struct Behind : WithHost, World {
  std::unique_ptr<delivery::Routes> routes;
  dns::FixedResolver resolver;
  std::unique_ptr<delivery::Connector> connector;
  std::unique_ptr<delivery::Through> through;
  Behind() {
    auto config = config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n[domains.\"corp.test\"]\ndeliver = \"smtp://127.0.0.1:" +
                                    std::to_string(host.endpoint.port) + "\"\ndeliver_mode = \"through\"\nrecipients = \"any\"\ntls = \"never\"\n",
                                "p.toml");
    REQUIRE(config.ok());
    directory->configure(config.config);
    routes = std::make_unique<delivery::Routes>(config.config);
    connector = std::make_unique<delivery::Connector>(resolver, delivery::Connector::Self{"mx.example.test", {}, delivery::Through::timeouts()});
    through = std::make_unique<delivery::Through>(*connector, *routes);
    services.routes = routes.get();
    services.through = through.get();
    loop.spawn(host.serve(loop), "host");
  }
  ~Behind() { loop.end_tasks(); }
  std::string send() {
    return loop.block_on(dialogue(*this, {"EHLO a.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@corp.test>", "DATA", "Subject: hi\r\n\r\ntext\r\n."})).back();
  }
};

}  // namespace

TEST_CASE("by the time of the 250 the host behind has the message, and what it refuses is refused in its words") {
  Behind world;
  CHECK(world.send().starts_with("250 2.0.0 Accepted as "));
  CHECK(world.host.got.size() == 1);
  CHECK(world.store.queue_size() == 0);
  world.host.at_end = "554 5.7.1 not this one";
  CHECK(world.send() == "554 5.7.1 not this one");
  world.host.at_end = "452 4.2.2 no room for it";
  CHECK(world.send() == "452 4.2.2 no room for it");
  world.host.at_end = "550 a word without a code";
  CHECK(world.send() == "550 5.0.0 a word without a code");
  world.host.at_end = "421 4.3.2 going away";   // that would end our connection too
  CHECK(world.send() == "451 4.3.2 going away");
  CHECK(world.counters.rejected == 2);
  CHECK(world.counters.deferred == 2);
  CHECK(world.store.queue_size() == 0);
  CHECK(world.store.bodies() == 0);
}
