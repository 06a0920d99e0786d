// The queue at work, over real connections: what is sent, tried again, given up, and written down.
#include "gateway/delivery/queue.h"

#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using delivery::test::Host;
using World = delivery::test::QueueWorld;

TEST_CASE("a queued message reaches its host, prefix first, and leaves the queue") {
  Host host;
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test", "bob@one.test"});
  REQUIRE(w.empty());
  REQUIRE(host.got.size() == 1);
  CHECK(host.got[0].sender == "you@sender.test");
  CHECK(host.got[0].recipients == std::vector<std::string>{"ann@one.test", "bob@one.test"});
  CHECK(host.got[0].message == "Received: from x by gate.test\r\nSubject: hi\r\n\r\n.text\r\n");
  CHECK(w.queue->figures().sent == 2);
  CHECK(w.store.bodies() == 0);
}

TEST_CASE("one connection takes many messages") {
  Host host;
  World w;
  w.behind("one.test", {&host}).begin();
  for (int i = 0; i < 50; ++i) w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  CHECK(host.got.size() == 50);
  CHECK(host.most_open <= 20);
  CHECK(host.connections < 25);
}

TEST_CASE("a kept connection that the host has closed costs nothing") {
  Host host;
  host.closes_behind_message = true;
  World w;
  w.behind("one.test", {&host}).begin();
  for (int i = 0; i < 5; ++i) {
    w.put("one.test", {"ann@one.test"});
    REQUIRE(w.empty());
  }
  CHECK(host.got.size() == 5);
  CHECK(w.queue->figures().deferred == 0);
}

TEST_CASE("a recipient who is deferred is tried again, and only he") {
  Host host;
  host.at_rcpt["bob@one.test"] = "451 4.2.1 not now";
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test", "bob@one.test"});
  REQUIRE(w.until([&] { return host.got.size() == 1 && w.queue->figures().deferred >= 2; }));
  auto entry = w.entries().at(0);
  auto state = decode_state(entry.state);
  REQUIRE(state);
  REQUIRE(state->recipients.size() == 1);
  CHECK(state->recipients[0].address == "bob@one.test");
  CHECK(state->recipients[0].words == "451 4.2.1 not now (in reply to RCPT TO)");
  host.at_rcpt.clear();
  REQUIRE(w.empty());
  CHECK(host.got.at(1).recipients == std::vector<std::string>{"bob@one.test"});
}

TEST_CASE("the second host of a route is asked when the first is not there, and when it says later") {
  Host first, second;
  first.at_rcpt["ann@one.test"] = "451 4.3.2 busy";
  World w;
  w.behind("one.test", {&first, &second}).begin();
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  CHECK(first.got.empty());
  CHECK(second.got.size() == 1);
}

TEST_CASE("a message is not offered to a second host where the first may have taken it") {
  Host first, second;
  first.closes_at_end = true;
  World w;
  w.config.queue.retry = {10min};
  w.behind("one.test", {&first, &second}).begin();
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.until([&] { return w.queue->figures().deferred == 1; }));
  CHECK(first.got.size() == 1);
  CHECK(second.got.empty());
  CHECK(w.queued() == 1);
}

TEST_CASE("more recipients than the host takes at once go in further transactions") {
  Host host;
  host.room = 2;
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"a@one.test", "b@one.test", "c@one.test", "d@one.test", "e@one.test"});
  REQUIRE(w.empty());
  CHECK(host.got.size() == 3);
  CHECK(w.queue->figures().deferred == 0);
}

TEST_CASE("while a host is down its mail waits with the reason, other mail flows, and all goes when it is back") {
  Host other, back;
  World w;
  std::uint16_t port = 0;
  {
    Host gone;
    port = gone.endpoint.port;
  }
  w.behind("two.test", {&other});
  auto& down = w.config.domains.emplace_back();
  down.name = "one.test";
  down.relay.hosts.push_back({false, "127.0.0.1", port});
  w.begin();
  for (int i = 0; i < 20; ++i) w.put("one.test", {"ann@one.test"});
  w.put("two.test", {"bob@two.test"});
  REQUIRE(w.until([&] { return other.got.size() == 1; }));
  REQUIRE(w.until([&] { return !w.queue->trouble_of("one.test").empty(); }));
  CHECK(w.queue->trouble_of("one.test").find("refused") != std::string::npos);
  CHECK(w.queue->trouble_of("two.test").empty());
  CHECK(w.queued() == 20);
  CHECK(w.queue->figures().deferred == 0);   // it says nothing about the messages

  auto& mended = w.config.domains.back().relay.hosts.front();
  mended.port = back.endpoint.port;
  w.loop.spawn(back.serve(w.loop), "host");
  w.routes->configure(w.config);
  w.queue->configure(w.config.queue);
  REQUIRE(w.empty());
  CHECK(back.got.size() == 20);
}

TEST_CASE("what the host refuses goes to its recipient's quarantine when the sender may be forged") {
  Host host;
  host.at_end = "554 5.7.1 I do not like it";
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  auto account = w.store.account("ann@one.test");
  REQUIRE(account);
  auto held = w.mails(account->id, store::SpecialUse::quarantine);
  REQUIRE(held.size() == 1);
  CHECK(held[0] == "Return-Path: <you@sender.test>\r\nReceived: from x by gate.test\r\nSubject: hi\r\n\r\n.text\r\n");
  auto notes = w.mails(w.postmaster, store::SpecialUse::inbox);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("554 5.7.1 I do not like it") != std::string::npos);
  CHECK(w.queue->figures().failed == 1);
  // One note for all that this host refuses in some hours.
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  CHECK(w.mails(account->id, store::SpecialUse::quarantine).size() == 2);
  CHECK(w.mails(w.postmaster, store::SpecialUse::inbox).size() == 1);
}

TEST_CASE("a sender who is known gets a report, at home or through the queue, and no copy is held") {
  Host host, far;
  host.at_rcpt["ann@one.test"] = "550 5.1.1 no such user";
  World w;
  w.behind("one.test", {&host}).behind("far.test", {&far}).begin();
  auto me = w.store.add_account("me@home.test");
  w.put("one.test", {"ann@one.test", "bob@one.test"}, true, "me@home.test");
  REQUIRE(w.empty());
  auto reports = w.mails(me, store::SpecialUse::inbox);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("Final-Recipient: rfc822; ann@one.test") != std::string::npos);
  CHECK(reports[0].find("bob@one.test") == std::string::npos);
  CHECK(reports[0].find("550 5.1.1 no such user") != std::string::npos);
  CHECK_FALSE(w.store.account("ann@one.test"));

  w.put("one.test", {"ann@one.test"}, true, "you@far.test");
  REQUIRE(w.empty());
  REQUIRE(far.got.size() == 1);
  CHECK(far.got[0].sender.empty());
  CHECK(far.got[0].recipients == std::vector<std::string>{"you@far.test"});
  CHECK(far.got[0].message.find("multipart/report") != std::string::npos);
}

TEST_CASE("a report that cannot be sent makes no report") {
  Host host;
  host.at_rcpt["ann@one.test"] = "550 5.1.1 no such user";
  host.at_rcpt["gone@one.test"] = "550 5.1.1 no such user";
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test"}, true, "gone@one.test");
  REQUIRE(w.empty());
  CHECK(w.mails(w.postmaster, store::SpecialUse::quarantine).size() == 1);
  CHECK(w.store.accounts().size() == 1);
}

TEST_CASE("what was tried for its whole time is given up, also when its host never answered") {
  World w;
  w.config.queue.expire = 30ms;
  std::uint16_t port = 0;
  {
    Host gone;
    port = gone.endpoint.port;
  }
  auto& down = w.config.domains.emplace_back();
  down.name = "one.test";
  down.relay.hosts.push_back({false, "127.0.0.1", port});
  w.begin();
  for (int i = 0; i < 20; ++i) w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  CHECK(w.mails(w.store.account("ann@one.test")->id, store::SpecialUse::quarantine).size() == 20);
}

TEST_CASE("what was sent is not sent again while the disk does not take that it was") {
  Host host;
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.until([&] {
    if (host.got.empty()) w.store.fail_with = store::Outcome::broken;
    return host.got.size() == 1;
  }));
  w.store.fail_with = store::Outcome::broken;
  CHECK_FALSE(w.until([&, end = in(300ms)] { return host.got.size() > 1 || in(0s) > end; }) == false);
  CHECK(host.got.size() == 1);
  w.store.fail_with = store::Outcome::done;
  REQUIRE(w.empty());
  CHECK(host.got.size() == 1);
}

TEST_CASE("on a full disk the queue drains, and what fails waits until it can be told") {
  Host host;
  host.at_rcpt["ann@one.test"] = "550 5.1.1 no such user";
  World w;
  w.behind("one.test", {&host}).begin();
  w.store.low_space = false;
  auto refused = w.put("one.test", {"ann@one.test"});
  w.store.low_space = true;
  static_cast<void>(refused);
  REQUIRE(w.until([&] { return w.queue->figures().failed >= 2; }));
  CHECK(w.queued() == 1);
  w.store.low_space = false;
  REQUIRE(w.empty());
  CHECK(w.mails(w.store.account("ann@one.test")->id, store::SpecialUse::quarantine).size() == 1);
}

TEST_CASE("a held entry is not tried until the operator lets it go") {
  Host host;
  host.at_mail = "451 4.3.0 later";
  World w;
  w.behind("one.test", {&host}).begin();
  auto id = w.put("one.test", {"ann@one.test"});
  REQUIRE(w.until([&] { return w.queue->figures().deferred >= 1; }));
  auto change = [&](bool held) {
    store::Delivery delivery;
    auto& wanted = delivery.queue.emplace_back();
    wanted.id = id;
    wanted.held = held;
    if (!held) wanted.due = Clock::system().now();
    REQUIRE(w.loop.block_on(w.store.deliver(std::move(delivery))).ok());
    w.queue->changed({id}, !held);
  };
  change(true);
  host.at_mail = "250 ok";
  CHECK(w.until([&, end = in(300ms)] { return in(0s) > end; }));
  CHECK(host.got.empty());
  change(false);
  REQUIRE(w.empty());
  CHECK(host.got.size() == 1);
}

TEST_CASE("an entry that is deleted is not sent") {
  Host host;
  host.at_mail = "451 4.3.0 later";
  World w;
  w.behind("one.test", {&host}).begin();
  auto id = w.put("one.test", {"ann@one.test"});
  REQUIRE(w.until([&] { return w.queue->figures().deferred >= 1; }));
  store::Delivery delivery;
  delivery.queue.emplace_back();
  delivery.queue.back().id = id;
  delivery.queue.back().remove = true;
  REQUIRE(w.loop.block_on(w.store.deliver(std::move(delivery))).ok());
  w.queue->changed({id}, false);
  host.at_mail = "250 ok";
  CHECK(w.until([&] { return w.queue->figures().waiting == 0; }));
  CHECK(host.got.empty());
}

TEST_CASE("a queue that begins anew sends what was left") {
  Host host;
  World w;
  w.behind("one.test", {&host});
  QueueState state;
  state.sender = "you@sender.test";
  state.recipients.push_back({"ann@one.test", "", ""});
  store::Delivery delivery;
  for (int i = 0; i < 5; ++i) {
    store::Item item;
    item.pieces.emplace_back(std::string("Subject: left\r\n\r\n"));
    auto& onward = item.onward.emplace_back();
    onward.destination = "one.test";
    onward.state = encode(state);
    delivery.items.push_back(std::move(item));
  }
  w.store.now = Clock::system().now();
  REQUIRE(w.loop.block_on(w.store.deliver(std::move(delivery))).ok());
  w.begin();
  REQUIRE(w.empty());
  CHECK(host.got.size() == 5);
}

TEST_CASE("a damaged envelope is held for the operator, not tried and not lost") {
  Host host;
  World w;
  w.behind("one.test", {&host}).begin();
  store::Item item;
  item.pieces.emplace_back(std::string("Subject: x\r\n\r\n"));
  auto& onward = item.onward.emplace_back();
  onward.destination = "one.test";
  onward.state = "rubbish";
  store::Delivery delivery;
  delivery.items.push_back(std::move(item));
  auto done = w.loop.block_on(w.store.deliver(std::move(delivery)));
  w.queue->added({{done.queued.at(0).at(0), "one.test", {}}});
  REQUIRE(w.until([&] { return w.queue->figures().waiting == 0 && w.queue->idle(); }));
  CHECK(w.entries().at(0).held);
  CHECK(host.connections == 0);
}

TEST_CASE("when it drains it begins nothing more and ends what it began") {
  Host host;
  World w;
  w.behind("one.test", {&host}).begin();
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.empty());
  w.queue->drain();
  w.put("one.test", {"ann@one.test"});
  CHECK(w.until([&, end = in(200ms)] { return in(0s) > end; }));
  CHECK(w.queue->idle());
  CHECK(host.got.size() == 1);
  CHECK(w.queued() == 1);
}

TEST_CASE("a domain that takes no mail, or does not exist, fails at once") {
  World w;
  REQUIRE(w.resolver.add("null.example MX", "0 ."));
  w.begin();
  w.put("null.example", {"ann@null.example"});
  w.put("nothing.example", {"bob@nothing.example"});
  REQUIRE(w.empty());
  CHECK(w.queue->figures().failed == 2);
  CHECK(w.mails(w.store.account("ann@null.example")->id, store::SpecialUse::quarantine).size() == 1);
}

TEST_CASE("a message that cannot be read now is neither sent nor given up") {
  Host host;
  World w;
  w.config.queue.expire = 1ms;
  w.behind("one.test", {&host}).begin();
  w.store.damaged_entry = 1;
  w.put("one.test", {"ann@one.test"});
  CHECK(w.until([&, end = in(300ms)] { return in(0s) > end; }));
  CHECK(w.queue->idle());
  CHECK(w.queued() == 1);
  CHECK(host.connections == 0);
  CHECK(w.queue->figures().failed == 0);
}
