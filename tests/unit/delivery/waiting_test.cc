// Mail that waits for long: its sender is told once, and the operator may end its waiting.
#include "gateway/delivery/queue.h"
#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using delivery::test::Host;
using delivery::test::QueueWorld;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct WithHost {   // outlives the tasks of the world
  Host host;
};

// ann@one.test cannot be delivered to, and who waits for 30 ms is told so.
struct World : WithHost, QueueWorld {
  store::AccountId me = 0;
  explicit World(std::chrono::milliseconds notice = 30ms) {
    config.queue.delay_notice = notice;
    host.at_rcpt["ann@one.test"] = "451 4.2.1 mailbox asleep";
    behind("one.test", {&host}).begin();
    me = store.add_account("me@home.test");
  }
  QueueState to_ann(const char* notify = "", bool may_report = true) {
    QueueState state;
    state.sender = "me@home.test";
    state.may_report = may_report;
    auto& who = state.recipients.emplace_back();
    who.address = who.account = "ann@one.test";
    if (*notify != '\0') who.notify = *mail::parse_notify(notify);
    return state;
  }
  std::size_t count() const { return store.mailbox(me, store::SpecialUse::inbox)->messages; }   // of told(), also from until()
  std::vector<std::string> told() { return mails(me, store::SpecialUse::inbox); }
  // So many attempts more, at 40 ms each: long enough for a notice that should not come.
  bool attempts(std::uint64_t more) {
    auto then = queue->figures().deferred + more;
    return until([&] { return queue->figures().deferred >= then; });
  }
  std::optional<QueueState> state_of_first() { return decode_state(entries().at(0).state); }
};

}  // namespace

TEST_CASE("the sender of a message that waits is told once, and until when it is tried") {
  World w;
  w.put_state("one.test", w.to_ann());
  REQUIRE(w.until([&] { return w.count() == 1; }));
  REQUIRE(w.attempts(4));
  auto told = w.told();
  REQUIRE(told.size() == 1);
  CHECK(has(told[0], "Action: delayed\r\n"));
  CHECK(has(told[0], "Will-Retry-Until: "));
  CHECK(has(told[0], "451 4.2.1 mailbox asleep"));
  CHECK(has(told[0], "Subject: hi\r\n"));
  CHECK_FALSE(has(told[0], ".text"));
  CHECK(w.state_of_first()->recipients.at(0).told_of_delay);
  CHECK(w.queued() == 1);
}

TEST_CASE("it is remembered in the store that somebody was told") {
  World w;
  auto state = w.to_ann();
  state.recipients[0].told_of_delay = true;   // by the one that ran before
  w.put_state("one.test", state);
  REQUIRE(w.attempts(4));
  CHECK(w.told().empty());
}

TEST_CASE("nobody is told of a delay who did not want to be, or may be forged, or is not waiting that long") {
  for (const char* notify : {"NEVER", "FAILURE", "SUCCESS"}) {
    World w;
    w.put_state("one.test", w.to_ann(notify));
    REQUIRE(w.attempts(4));
    CHECK(w.told().empty());
  }
  World forged;
  forged.put_state("one.test", forged.to_ann("DELAY", false));
  REQUIRE(forged.attempts(4));
  CHECK(forged.told().empty());
  for (auto notice : {0ms, 3'600'000ms}) {
    World w(notice);
    w.put_state("one.test", w.to_ann());
    REQUIRE(w.attempts(4));
    CHECK(w.told().empty());
  }
}

TEST_CASE("a program or a list is told of a delay only when it asked for it") {
  struct Case {
    const char* field;
    bool told;
  };
  for (auto [field, told] : {Case{"Auto-Submitted: auto-generated\r\n", false}, Case{"Auto-Submitted: no\r\n", true}, Case{"Precedence: bulk\r\n", false},
                             Case{"List-Id: <a.b>\r\n", false}, Case{"Precedence: first-class\r\n", true}}) {
    INFO(field);
    World w;
    w.message = std::string(field) + "Subject: hi\r\n\r\ntext\r\n";
    w.put_state("one.test", w.to_ann());
    REQUIRE(w.attempts(4));
    CHECK(w.told().size() == (told ? 1 : 0));
  }
  World asked;
  asked.message = "List-Id: <a.b>\r\n\r\ntext\r\n";
  asked.put_state("one.test", asked.to_ann("DELAY"));
  REQUIRE(asked.until([&] { return asked.count() == 1; }));
}

TEST_CASE("who waits for a host that is down is told too, with the reason") {
  World w;
  std::uint16_t port = 0;
  {
    Host gone;
    port = gone.endpoint.port;
  }
  auto& down = w.config.domains.emplace_back();
  down.name = "down.test";
  down.relay.hosts.push_back({false, "127.0.0.1", port});
  w.routes->configure(w.config);
  for (int i = 0; i < 3; ++i) w.put_state("down.test", w.to_ann());
  REQUIRE(w.until([&] { return w.count() == 3; }));
  CHECK(has(w.told()[0], "refused"));
  CHECK(w.queued() == 3);
}

TEST_CASE("a report on a delay is itself never reported on") {
  World w;
  w.host.at_rcpt["you@one.test"] = "451 4.2.1 asleep too";
  auto state = w.to_ann();
  state.sender = "you@one.test";
  w.put_state("one.test", state);
  REQUIRE(w.until([&] { return w.queued() == 2; }));   // the message and its report
  REQUIRE(w.attempts(8));
  CHECK(w.queued() == 2);
}

TEST_CASE("on a full disk nobody is told of a delay, and the message goes on waiting") {
  World w(60ms);
  w.put_state("one.test", w.to_ann());
  w.store.low_space = true;
  REQUIRE(w.attempts(5));
  CHECK(w.queued() == 1);
  w.store.low_space = false;
  CHECK(w.told().empty());
  CHECK_FALSE(w.state_of_first()->recipients.at(0).told_of_delay);   // so it will be
}

TEST_CASE("what the operator gives up is told as a failure, with his word and the host's last one") {
  World w(0ms);
  auto id = w.put_state("one.test", w.to_ann());
  REQUIRE(w.attempts(1));
  w.queue->give_up({id});
  REQUIRE(w.empty());
  REQUIRE(w.told().size() == 1);
  CHECK(has(w.told()[0], "Action: failed\r\n"));
  CHECK(has(w.told()[0], "given up by the administrator"));
  CHECK(has(w.told()[0], "451 4.2.1 mailbox asleep"));
}

TEST_CASE("what is held can be given up, and what nobody may be told of is kept for its recipient") {
  World w(0ms);
  auto id = w.put_state("one.test", w.to_ann("", false));
  REQUIRE(w.attempts(1));
  store::Delivery hold;
  hold.queue.emplace_back().id = id;
  hold.queue.back().held = true;
  REQUIRE(w.loop.block_on(w.store.deliver(std::move(hold))).ok());
  w.queue->changed({id}, false);
  REQUIRE(w.until([&] { return w.queue->figures().waiting == 0 && w.queue->idle(); }));
  w.queue->give_up({id, id + 7});   // one that is not there is passed over
  REQUIRE(w.empty());
  CHECK(w.told().empty());
  CHECK(w.mails(w.store.account("ann@one.test")->id, store::SpecialUse::quarantine).size() == 1);
}
