// Messages that are handed on before their 250: the host's answer is the sender's, and nothing is left here.
#include "gateway/delivery/hand_on.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using delivery::test::Host;
using delivery::test::QueueWorld;
using End = HandedOn::End;

namespace {

struct WithHost {   // outlives the tasks of the world
  Host host;
};

struct World : WithHost, QueueWorld {
  std::unique_ptr<Deliverer> deliverer;
  std::unique_ptr<Through> through;
  store::AccountId me = 0;
  explicit World(ThroughLimits limits = ThroughLimits()) {
    patience = 400ms;
    behind("one.test", {&host});
    config.domains.back().relay.through = true;
    begin();
    me = store.add_account("me@home.test");
    auto tell = [this](std::vector<Queued> queued) { queue->added(std::move(queued)); };
    deliverer = std::make_unique<Deliverer>(store, *directory, "gate.test", postmaster, tell);
    through = std::make_unique<Through>(*connector, *routes, limits);
  }
  ~World() { loop.end_tasks(); }   // before what they use
  std::shared_ptr<Judged> to(std::vector<std::string> addresses) {
    auto out = std::make_shared<Judged>();
    out->id = "7Q3K2";
    out->sender.address = "me@home.test";
    out->received = Octets(std::string("X-Postern-Verdict: forged\r\nSubject: hi\r\n\r\n.body\r\n"));
    out->when = Clock::system().now();
    out->verdict.sender_proved = true;
    for (auto& address : addresses) {
      smtp::Recipient recipient;
      recipient.address = recipient.account = address;
      recipient.onward = address.substr(address.find('@') + 1);
      out->recipients.push_back(std::move(recipient));
      out->verdict.recipients.emplace_back().address = address;
    }
    return out;
  }
  HandedOn hand(std::shared_ptr<Judged> what) { return loop.block_on(hand_on(*deliverer, *through, what, "Accepted")); }
  bool is_traced() { return loop.block_on(store.get("trace:7Q3K2")).value().has_value(); }
};

}  // namespace

TEST_CASE("a message that is handed through is at its host before anybody says 250, and nowhere here") {
  World w;
  auto handed = w.hand(w.to({"ann@one.test", "bob@one.test"}));
  CHECK(handed.end == End::taken);
  REQUIRE(w.host.got.size() == 1);
  CHECK(w.host.got[0].recipients.size() == 2);
  CHECK(w.host.got[0].message.find("X-Postern-Verdict: forged") == std::string::npos);
  CHECK(w.host.got[0].message.find("X-Postern-Verdict: ham") != std::string::npos);
  CHECK(w.host.got[0].message.ends_with("Subject: hi\r\n\r\n.body\r\n"));
  CHECK(w.queued() == 0);
  CHECK(w.store.bodies() == 0);
  CHECK(w.is_traced());
}

TEST_CASE("what the host says is what the sender hears, at RCPT, at DATA or behind the message") {
  World w;
  w.host.at_end = "554 5.7.1 not this one";
  auto refused = w.hand(w.to({"ann@one.test"}));
  CHECK(refused.end == End::refused);
  CHECK(refused.outcome.permanent());
  CHECK(refused.outcome.reply.sentence() == "554 5.7.1 not this one");
  w.host.at_end = "250 ok";
  w.host.at_rcpt["ann@one.test"] = "452 4.2.2 mailbox full";
  auto deferred = w.hand(w.to({"ann@one.test"}));
  CHECK(deferred.end == End::refused);
  CHECK(deferred.outcome.reply.sentence() == "452 4.2.2 mailbox full");
  CHECK(w.queued() == 0);
  CHECK(w.store.bodies() == 0);
  CHECK(w.mails(w.me, store::SpecialUse::inbox).empty());
}

TEST_CASE("a host that is away, hangs or goes without an answer takes nothing from the sender's hands") {
  World away;
  {
    Host gone;
    away.config.domains.back().relay.hosts.front().port = gone.endpoint.port;
  }
  away.routes->configure(away.config);
  CHECK(away.hand(away.to({"ann@one.test"})).end == End::refused);
  World hangs;
  hangs.host.trick = Host::Trick::hangs;
  auto waited = hangs.hand(hangs.to({"ann@one.test"}));
  CHECK(waited.end == End::refused);
  CHECK_FALSE(waited.outcome.permanent());
  World goes;
  goes.host.closes_at_end = true;
  auto open = goes.hand(goes.to({"ann@one.test"}));
  CHECK(open.end == End::refused);
  CHECK(open.outcome.maybe_delivered);   // it may come twice: nobody can know
  CHECK(goes.queued() == 0);
}

TEST_CASE("whom the host does not take while it takes others waits in the queue") {
  World w;
  w.config.queue.retry = {10min};
  w.host.at_rcpt["bob@one.test"] = "451 4.2.1 later";
  CHECK(w.hand(w.to({"ann@one.test", "bob@one.test"})).end == End::taken);
  REQUIRE(w.queued() == 1);
  auto state = decode_state(w.entries().at(0).state);
  REQUIRE(state);
  REQUIRE(state->recipients.size() == 1);
  CHECK(state->recipients[0].address == "bob@one.test");
  CHECK(state->recipients[0].words == "451 4.2.1 later (in reply to RCPT TO)");
  CHECK(w.entries().at(0).due > Clock::system().now() + 30s);
}

TEST_CASE("a message for several domains, with a copy that is held or goes elsewhere, or for another domain is not for that") {
  World w;
  CHECK(w.hand(w.to({"ann@one.test", "bob@home.test"})).end == End::not_meant);
  CHECK(w.hand(w.to({"ann@far.test"})).end == End::not_meant);
  auto held = w.to({"ann@one.test", "bob@one.test"});
  held->verdict.recipients[1].action = smtp::Action::quarantine;
  CHECK(w.hand(held).end == End::not_meant);
  auto redirected = w.to({"ann@one.test"});
  redirected->verdict.recipients[0].redirect = "me@home.test";
  CHECK(w.hand(redirected).end == End::not_meant);
  auto sent_on = w.to({"ann@one.test"});
  sent_on->recipients[0].sent_by = "list@home.test";
  CHECK(w.hand(sent_on).end == End::not_meant);
  auto of_ours = w.to({"ann@one.test"});
  of_ours->client.login = "me@home.test";
  CHECK(w.hand(of_ours).end == End::not_meant);
  auto local = w.to({"ann@one.test"});
  local->recipients[0].onward.clear();
  CHECK(w.hand(local).end == End::not_meant);
  CHECK(w.host.connections == 0);
  CHECK_FALSE(w.is_traced());
}

TEST_CASE("what the host has is taken even if the trace cannot be stored, and what is left over is not") {
  World w;
  w.store.fail_with = store::Outcome::broken;
  CHECK(w.hand(w.to({"ann@one.test"})).end == End::taken);
  w.host.at_rcpt["bob@one.test"] = "451 4.2.1 later";
  auto handed = w.hand(w.to({"ann@one.test", "bob@one.test"}));
  CHECK(handed.end == End::refused);
  CHECK_FALSE(handed.outcome.permanent());
}

TEST_CASE("a sender who asked for it hears that his message was passed on") {
  World w;
  auto message = w.to({"ann@one.test"});
  message->recipients[0].notify = *mail::parse_notify("SUCCESS");
  CHECK(w.hand(message).end == End::taken);
  auto told = w.mails(w.me, store::SpecialUse::inbox);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("Action: relayed\r\n") != std::string::npos);
}

TEST_CASE("messages one after the other go over one connection, which is closed when nothing comes") {
  ThroughLimits limits;
  limits.idle = 100ms;
  World w(limits);
  for (int i = 0; i < 3; ++i) CHECK(w.hand(w.to({"ann@one.test"})).end == End::taken);
  CHECK(w.host.connections == 1);
  REQUIRE(w.until([&] { return w.host.open == 0; }));
  CHECK(w.host.heard.back() == "QUIT");
  CHECK(w.hand(w.to({"ann@one.test"})).end == End::taken);
  CHECK(w.host.connections == 2);
}

namespace {

io::Task<void> hand_into(World& w, std::shared_ptr<Judged> message, std::vector<End>& ends) {
  auto handed = co_await hand_on(*w.deliverer, *w.through, std::move(message), "Accepted");
  ends.push_back(handed.end);
}

}  // namespace

TEST_CASE("who finds all connections busy waits for his turn, and not for ever") {
  ThroughLimits limits;
  limits.connections = 2;
  World w(limits);
  std::vector<End> ends;
  for (int i = 0; i < 10; ++i) w.loop.spawn(hand_into(w, w.to({"ann@one.test"}), ends), "hand");
  REQUIRE(w.until([&] { return ends.size() == 10; }));
  CHECK(std::count(ends.begin(), ends.end(), End::taken) == 10);
  CHECK(w.host.most_open <= 2);

  limits.turn = 50ms;
  World slow(limits);
  slow.patience = 2s;
  slow.host.trick = Host::Trick::hangs;
  ends.clear();
  for (int i = 0; i < 3; ++i) slow.loop.spawn(hand_into(slow, slow.to({"ann@one.test"}), ends), "hand");
  REQUIRE(slow.until([&] { return ends.size() == 3; }));
  CHECK(std::count(ends.begin(), ends.end(), End::refused) == 3);
  CHECK(slow.host.connections <= 2);
}
