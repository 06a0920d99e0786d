// Destinations on their worst days: what is for them waits with the reason, what is for others flows, nothing is lost and
// nothing comes twice without need.  What each of these does at each step of the dialogue: unit/smtp_client.
#include "gateway/delivery/queue.h"
#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using delivery::test::Host;
using delivery::test::QueueWorld;

namespace {

struct WithHosts {   // outlive the tasks of the world
  Host bad, good;
};

struct World : WithHosts, QueueWorld {
  explicit World(Host::Trick trick, config::TlsUse tls = config::TlsUse::never) {
    bad.trick = trick;
    patience = 400ms;
    behind("bad.test", {&bad}).behind("good.test", {&good});
    for (auto& domain : config.domains) {
      if (domain.name == "bad.test") domain.relay.tls = tls;
    }
    begin();
  }
};

}  // namespace

TEST_CASE("a host that hangs, dribbles or floods keeps its mail and nobody else's, and gets it once when it has recovered") {
  for (auto trick : {Host::Trick::hangs, Host::Trick::dribbles, Host::Trick::floods}) {
    INFO(static_cast<int>(trick));
    World w(trick);
    for (int i = 0; i < 10; ++i) w.put("bad.test", {"ann@bad.test"});
    for (int i = 0; i < 10; ++i) w.put("good.test", {"bob@good.test"});
    REQUIRE(w.until([&] { return w.good.got.size() == 10; }));
    REQUIRE(w.until([&] { return !w.queue->trouble_of({"bad.test", ""}).empty(); }));
    CHECK(w.queue->trouble_of({"good.test", ""}).empty());
    CHECK(w.queued() == 10);
    CHECK(w.queue->figures().deferred == 0);   // it says nothing about the messages
    CHECK(w.queue->figures().failed == 0);
    w.bad.trick = Host::Trick::none;
    REQUIRE(w.empty());
    CHECK(w.bad.got.size() == 10);
    CHECK(w.queue->trouble_of({"bad.test", ""}).empty());
  }
}

TEST_CASE("where TLS breaks, mail goes in plaintext or waits, as the domain's policy says") {
  for (auto tls : {config::TlsUse::may, config::TlsUse::must}) {
    World w(Host::Trick::breaks_tls, tls);
    w.put("bad.test", {"ann@bad.test"});
    REQUIRE(w.until([&] { return w.bad.connections >= 2; }));
    CHECK(w.queued() == 1);
    w.bad.trick = Host::Trick::none;   // offers no STARTTLS
    if (tls == config::TlsUse::may) {
      REQUIRE(w.empty());
      CHECK(w.bad.got.size() == 1);
    } else {
      REQUIRE(w.until([&] { return w.queue->trouble_of({"bad.test", ""}).find("STARTTLS") != std::string::npos; }));
      CHECK(w.queued() == 1);
      CHECK(w.bad.got.empty());
    }
  }
}

TEST_CASE("a host that takes the message and closes before it says so gets it once more for each such answer, and no more") {
  World w(Host::Trick::none);
  w.bad.closes_at_end = true;
  w.put("bad.test", {"ann@bad.test"});
  REQUIRE(w.until([&] { return w.bad.got.size() >= 2; }));
  w.bad.closes_at_end = false;
  REQUIRE(w.empty());
  CHECK(w.bad.got.size() == w.queue->figures().deferred + w.queue->figures().sent);
}

TEST_CASE("what a host has put off for six days is given up, told with its last words") {
  World w(Host::Trick::none);
  auto me = w.store.add_account("me@home.test");
  w.bad.at_rcpt["ann@bad.test"] = "451 4.2.1 come back tomorrow";
  w.age = std::chrono::hours(6 * 24);
  w.put("bad.test", {"ann@bad.test"}, true, "me@home.test");
  REQUIRE(w.empty());
  auto told = w.mails(me, store::SpecialUse::inbox);
  REQUIRE(told.size() >= 1);   // on its way it may be told to be late as well
  CHECK(told.back().find("Status: 4.4.7\r\n") != std::string::npos);
  CHECK(told.back().find("451 4.2.1 come back tomorrow") != std::string::npos);
}
