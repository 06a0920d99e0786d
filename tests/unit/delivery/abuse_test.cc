// The abuse desk: what proves a report, what is counted, and when somebody is told.
#include "gateway/delivery/abuse.h"

#include <algorithm>

#include "gateway/delivery/deliverer.h"
#include "gateway/mail/dsn.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  config::Config config;
  store::AccountId postmaster = store.add_account("postmaster@example.test");
  store::AccountId alice = store.add_account("alice@example.test");
  std::unique_ptr<directory::Directory> directory;
  FixedClock clock{from_unix(1'795'492'742)};
  std::unique_ptr<SendLedger> ledger = std::make_unique<SendLedger>(store, clock);
  std::unique_ptr<AbuseDesk> desk;
  std::unique_ptr<Deliverer> deliverer;
  int messages = 0;

  World() {
    config.hostname = "mx.example.test";
    config.domains.emplace_back().name = "example.test";
    config.abuse.suppress_after = 1;
    directory = std::make_unique<directory::Directory>(config, store);
    restart();
  }
  void restart() {
    AbuseDesk::Parts parts{store, *directory, ledger.get(), "mx.example.test"};
    desk = std::make_unique<AbuseDesk>(std::move(parts), clock);
    desk->configure(config.abuse);
    REQUIRE(loop.block_on(desk->load()));
    deliverer = std::make_unique<Deliverer>(store, *directory, "mx.example.test", postmaster);
    deliverer->count_by(*ledger);
    deliverer->watch_by(*desk);
  }
  void set(std::uint64_t held, std::uint64_t bounces, std::uint64_t complaints, bool stops = false) {
    config.abuse.alarm_held = held;
    config.abuse.alarm_bounces = bounces;
    config.abuse.alarm_complaints = complaints;
    config.abuse.alarm_stops = stops;
    desk->configure(config.abuse);
  }

  // What alice submits, for recipients elsewhere; gives our id of it.
  std::string send(std::vector<std::string> to, std::string verdict = "ham", std::string login = "alice@example.test") {
    auto message = std::make_shared<Judged>();
    message->id = "SENT" + std::to_string(++messages);
    message->client.login = login;
    message->client.submission = !login.empty();
    message->sender.address = "alice@example.test";
    message->received = Octets("Message-ID: <" + message->id + "@alice>\r\nFrom: alice@example.test\r\n\r\nbody\r\n");
    message->verdict.verdict = verdict;
    for (const auto& address : to) {
      auto& recipient = message->recipients.emplace_back();
      recipient.address = recipient.account = address;
      recipient.onward = address.substr(address.find('@') + 1);
      auto& copy = message->verdict.recipients.emplace_back();
      copy.address = address;
      if (verdict == "quarantine") copy.action = smtp::Action::quarantine;
      if (verdict == "reject") copy.action = smtp::Action::reject;
    }
    auto id = message->id;
    if (verdict == "reject") loop.block_on(deliverer->record(message, "no"));
    else last = loop.block_on(deliverer->deliver(message, "Accepted"));
    return id;
  }
  std::string header_of(const std::string& id, std::string message_id = "") const {
    if (message_id.empty()) message_id = "<" + id + "@alice>";
    return "Received: by far.example\r\nReceived: from laptop (unknown [192.0.2.1])\r\n\tby mx.example.test (Postern) with ESMTPSA id " + id +
           ";\r\n\tTue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: " + message_id + "\r\nFrom: alice@example.test\r\n";
  }
  std::string reporter = "fbl@far.example";
  // Comes in for the postmaster.
  void come(std::string text) {
    auto message = std::make_shared<Judged>();
    message->id = "IN" + std::to_string(++messages);
    message->received = Octets(std::move(text));
    message->sender.address = reporter;
    message->verdict.sender_proved = true;
    auto& recipient = message->recipients.emplace_back();
    recipient.address = recipient.account = "postmaster@example.test";
    message->verdict.recipients.emplace_back().address = recipient.address;
    last = loop.block_on(deliverer->deliver(message, "Accepted"));
  }
  void complain(const std::string& header, const std::string& fields = "", const std::string& type = "abuse") {
    come("Subject: complaint\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nWords\r\n--b\r\n"
         "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: " + type + "\r\n" + fields + "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + header +
         "\r\nbody\r\n--b--\r\n");
  }
  void bounce(const std::string& header, const std::string& address, const std::string& status = "5.1.1", mail::DsnRecipient::Action action = mail::DsnRecipient::Action::failed) {
    mail::Dsn dsn;
    dsn.reporting_mta = "mx.far.example";
    dsn.to = "alice@example.test";
    dsn.id = "D" + std::to_string(messages);
    auto& who = dsn.recipients.emplace_back();
    who.address = address;
    who.status = status;
    who.action = action;
    who.remote = "inner.far.example";
    who.diagnostic = "550 " + status + " No such user";
    come(mail::delivery_status_notification(dsn, header + "\r\nbody\r\n"));
  }
  std::vector<std::string> mails() {
    auto box = store.mailbox(postmaster, store::SpecialUse::inbox);
    std::vector<std::string> out;
    auto rows = loop.block_on(store.messages(box->id, 1, UINT32_MAX, 100));   // outlives the loop over them
    for (const auto& row : *rows) out.push_back(*loop.block_on(store.read(row, 0, row.size())));
    return out;
  }
  std::vector<std::string> alarms() {
    auto all = mails();
    std::erase_if(all, [](const std::string& text) { return !has(text, "Subject: Alarm: mail by alice@example.test\r\n"); });
    return all;
  }
  std::uint64_t unproved() const { return desk->figures().unproved; }
  bool dead(const std::string& address) const { return desk->suppressed(alice, address).has_value(); }
  store::Change last;
};

}  // namespace

TEST_CASE("a bounce of a message that we sent counts, and is delivered like any mail") {
  World w;
  auto id = w.send({"Ann@far.example", "bob@far.example"});
  w.bounce(w.header_of(id), "ann@far.example");
  CHECK(w.last.ok());
  CHECK(w.mails().size() == 1);
  auto found = w.desk->suppressed(w.alice, "ann@far.example");
  REQUIRE(found);
  CHECK(found->words == "550 5.1.1 No such user (inner.far.example)");
  CHECK(found->message == id);
  CHECK_FALSE(w.dead("bob@far.example"));
  CHECK(w.desk->troubles(w.alice).bounces == 1);
  CHECK(w.desk->figures().bounces == 1);
  CHECK(w.unproved() == 0);
  w.bounce(w.header_of(id), "ann@far.example");   // the same again
  CHECK(w.desk->troubles(w.alice).bounces == 1);
}

TEST_CASE("a report that proves nothing suppresses nobody and blames nobody, and is delivered") {
  World w;
  auto id = w.send({"ann@far.example"});
  auto stranger = w.send({"eve@far.example"}, "ham", "");   // passed on for a stranger: no user's
  const std::string cases[] = {
      w.header_of("NEVERSENT"),
      w.header_of(stranger),
      w.header_of(id, "<guessed@alice>"),
      "Message-ID: <" + id + "@alice>\r\n",
      "Received: by mx.other.test (Postern) with ESMTP id " + id + ";\r\nMessage-ID: <" + id + "@alice>\r\n",
  };
  std::uint64_t expected = 0;
  for (const auto& header : cases) {
    INFO(header);
    w.bounce(header, "ann@far.example");
    CHECK(w.unproved() == ++expected);
    w.complain(header, "Original-Rcpt-To: <ann@far.example>\r\n");
    CHECK(w.unproved() == ++expected);
  }
  w.bounce(w.header_of(id), "carol@far.example");   // to whom it never went
  CHECK(w.unproved() == ++expected);
  CHECK(w.mails().size() == 2 * std::size(cases) + 1);
  CHECK(w.desk->suppressions().empty());
  CHECK(w.desk->troubles(w.alice).bounces == 0);
  CHECK(w.desk->troubles(w.alice).complaints == 0);
}

TEST_CASE("only what says that there is no such address is a dead one") {
  World w;
  for (std::string status : {"5.7.1", "5.2.2", "5.0.0", "5.1.8", "5.1.7", "5.4.4"}) w.bounce(w.header_of(w.send({"ann@far.example"})), "ann@far.example", status);
  w.bounce(w.header_of(w.send({"ann@far.example"})), "ann@far.example", "5.1.1", mail::DsnRecipient::Action::delayed);
  CHECK(w.desk->suppressions().empty());
  CHECK(w.unproved() == 0);
  for (std::string status : {"5.1.1", "5.1.2", "5.1.10", "5.2.1"}) {
    auto to = "u" + status + "@far.example";
    w.bounce(w.header_of(w.send({to})), to, status);
    CHECK(w.dead(to));
  }
  auto ours = w.send({"bob@example.test"});
  w.bounce(w.header_of(ours), "bob@example.test");
  CHECK_FALSE(w.dead("bob@example.test"));
}

TEST_CASE("who got the same message cannot complain in the name of the others") {
  World w;
  w.reporter = "mallory@evil.example";
  auto id = w.send({"bob@far.example", "mallory@evil.example"});
  w.complain(w.header_of(id), "Original-Rcpt-To: <bob@far.example>\r\n");
  CHECK_FALSE(w.dead("bob@far.example"));
  CHECK(w.desk->troubles(w.alice).complaints == 1);   // it is one all the same
  w.complain(w.header_of(w.send({"bob@far.example"})), "Original-Rcpt-To: <bob@far.example>\r\n");
  CHECK(w.dead("bob@far.example"));   // nobody else has got that one
}

TEST_CASE("whom a list or a forward writes to is no dead end of the author's") {
  World w;
  auto id = w.send({"team@example.test", "ann@far.example"});
  std::vector<AbuseDesk::Refusal> refusals;
  refusals.push_back({"member@far.example", "550 5.1.1 No such user"});
  w.loop.block_on(w.desk->refused(id, std::move(refusals)));
  CHECK(w.desk->troubles(w.alice).bounces == 0);
}

TEST_CASE("a complaint suppresses the pair of sender and reader") {
  World w;
  auto bob = w.store.add_account("bob@example.test");
  auto id = w.send({"ann@far.example", "eve@far.example"});
  w.complain(w.header_of(id), "Original-Rcpt-To: <ANN@far.example>\r\n");
  REQUIRE(w.dead("ann@far.example"));
  CHECK(w.desk->suppressed(w.alice, "ann@far.example")->cause == Suppression::Cause::complaint);
  CHECK_FALSE(w.desk->suppressed(bob, "ann@far.example"));
  CHECK_FALSE(w.dead("eve@far.example"));
  CHECK(w.desk->troubles(w.alice).complaints == 1);
  for (int i = 0; i < 3; ++i) w.complain(w.header_of(id), "Original-Rcpt-To: <eve@far.example>\r\n");
  CHECK(w.desk->troubles(w.alice).complaints == 1);   // one message is one complaint
  CHECK(w.dead("eve@far.example"));
  // A reader who is not named is known where there was one only.
  w.complain(w.header_of(w.send({"cid@far.example"})), "Original-Rcpt-To: <redacted>\r\n");
  CHECK(w.dead("cid@far.example"));
  w.complain(w.header_of(w.send({"dan@far.example", "fay@far.example"})));
  CHECK_FALSE(w.dead("dan@far.example"));
  CHECK(w.desk->troubles(w.alice).complaints == 3);
  w.complain(w.header_of(w.send({"gil@far.example"})), "", "not-spam");
  CHECK_FALSE(w.dead("gil@far.example"));
  CHECK(w.desk->troubles(w.alice).complaints == 3);
}

TEST_CASE("the third message that the rules hold within an hour is an alarm, and one mail a day says so") {
  World w;
  w.set(3, 0, 0);
  w.send({"ann@far.example"}, "quarantine");
  w.send({"ann@far.example"}, "reject");
  w.send({"ann@far.example"});
  CHECK(w.alarms().empty());
  w.clock.set(w.clock.now() + 30min);
  auto id = w.send({"ann@far.example"}, "junk");
  REQUIRE(w.alarms().size() == 1);
  auto text = w.alarms()[0];
  CHECK(has(text, "3 messages held, refused or called spam within an hour"));
  CHECK(has(text, id));
  CHECK(has(text, "He may still send."));
  CHECK(has(text, "postern user stop alice@example.test"));
  CHECK(has(text, "postern queue list --from alice@example.test"));
  CHECK_FALSE(w.ledger->stopped(w.alice));
  for (int i = 0; i < 5; ++i) w.send({"ann@far.example"}, "quarantine");
  CHECK(w.alarms().size() == 1);
  REQUIRE(w.desk->alarms().size() == 1);
  CHECK(w.desk->alarms()[0].account == w.alice);
  w.clock.set(w.clock.now() + 24h);
  CHECK(w.desk->alarms().empty());
  CHECK(w.desk->troubles(w.alice).held == 0);
  for (int i = 0; i < 3; ++i) w.send({"ann@far.example"}, "quarantine");
  CHECK(w.alarms().size() == 2);
}

TEST_CASE("what is spread over hours is no alarm, and 0 is none at all") {
  World w;
  w.set(3, 0, 0);
  for (int i = 0; i < 10; ++i) {
    w.send({"ann@far.example"}, "quarantine");
    w.clock.set(w.clock.now() + 31min);
  }
  CHECK(w.alarms().empty());
  w.set(0, 0, 0);
  for (int i = 0; i < 10; ++i) w.send({"ann@far.example"}, "quarantine");
  CHECK(w.alarms().empty());
  CHECK(w.desk->troubles(w.alice).held == 20);
}

TEST_CASE("bounces and complaints are alarms too") {
  World w;
  w.set(0, 3, 0);
  for (int i = 0; i < 3; ++i) {
    CHECK(w.alarms().empty());
    auto to = "u" + std::to_string(i) + "@far.example";
    w.bounce(w.header_of(w.send({to})), to);
  }
  REQUIRE(w.alarms().size() == 1);
  CHECK(has(w.alarms()[0], "3 dead addresses written to within an hour"));
  World other;
  other.set(0, 0, 2);
  for (int i = 0; i < 2; ++i) {
    CHECK(other.alarms().empty());
    other.complain(other.header_of(other.send({"ann@far.example"})));
  }
  REQUIRE(other.alarms().size() == 1);
  CHECK(has(other.alarms()[0], "2 complaints within an hour"));
}

TEST_CASE("alarm_stops stops the user in the same commit, and who is let go begins with nothing counted") {
  World w;
  w.set(2, 0, 0, true);
  w.send({"ann@far.example"}, "quarantine");
  CHECK_FALSE(w.ledger->stopped(w.alice));
  w.send({"ann@far.example"}, "quarantine");
  REQUIRE(w.ledger->stopped(w.alice));
  CHECK(w.ledger->stopped(w.alice)->reason == "2 messages held, refused or called spam within an hour");
  CHECK(w.store.general.contains("stopped:2"));
  CHECK(has(w.alarms().at(0), "He may send no more (alarm_stops = true)."));
  CHECK(w.loop.block_on(w.ledger->resume(w.alice)).ok());
  CHECK(w.loop.block_on(w.desk->forget(w.alice)).ok());
  CHECK_FALSE(w.store.general.contains("abuse:2"));
  w.send({"ann@far.example"}, "quarantine");
  CHECK_FALSE(w.ledger->stopped(w.alice));
  w.send({"ann@far.example"}, "quarantine");
  CHECK(w.ledger->stopped(w.alice));
  CHECK(w.alarms().size() == 2);
}

TEST_CASE("what was not committed is no alarm and stops nobody; what comes again is told then") {
  World w;
  w.set(1, 0, 1, true);
  w.store.fail_with = store::Outcome::broken;
  w.send({"ann@far.example"}, "quarantine");
  w.store.fail_with = store::Outcome::done;
  CHECK_FALSE(w.last.ok());
  CHECK_FALSE(w.ledger->stopped(w.alice));
  CHECK(w.desk->troubles(w.alice).held == 0);
  auto id = w.send({"ann@far.example"});
  w.store.fail_with = store::Outcome::broken;
  w.complain(w.header_of(id));
  CHECK_FALSE(w.last.ok());
  CHECK_FALSE(w.ledger->stopped(w.alice));
  w.store.fail_with = store::Outcome::done;
  CHECK(w.alarms().empty());
  w.complain(w.header_of(id));
  CHECK(w.desk->troubles(w.alice).complaints == 1);
  CHECK(w.alarms().size() == 1);
  CHECK(w.ledger->stopped(w.alice));
  w.restart();
  CHECK(w.dead("ann@far.example"));
  CHECK(w.desk->troubles(w.alice).complaints == 1);
}

TEST_CASE("the table outlives the program, and a damaged row is left out alone") {
  World w;
  w.set(3, 20, 2);
  w.send({"ann@far.example"}, "quarantine");
  w.send({"ann@far.example"}, "quarantine");
  auto id = w.send({"ann@far.example", "bob@far.example"});
  w.bounce(w.header_of(id), "ann@far.example");
  w.complain(w.header_of(id), "Original-Rcpt-To: <bob@far.example>\r\n");
  w.restart();
  CHECK(w.desk->troubles(w.alice).held == 2);
  CHECK(w.dead("ann@far.example"));
  CHECK(w.dead("bob@far.example"));
  w.complain(w.header_of(id), "Original-Rcpt-To: <bob@far.example>\r\n");
  CHECK(w.desk->troubles(w.alice).complaints == 1);
  w.store.general.at("suppressed:2:ann@far.example") = "rubbish";
  w.store.general["abuse:2"] = "rubbish";
  w.restart();
  CHECK_FALSE(w.dead("ann@far.example"));
  CHECK(w.dead("bob@far.example"));
  CHECK(w.desk->troubles(w.alice).held == 0);
  w.store.unreadable = true;
  AbuseDesk::Parts parts{w.store, *w.directory, nullptr, "mx.example.test"};
  AbuseDesk blind(std::move(parts), w.clock);
  CHECK_FALSE(w.loop.block_on(blind.load()));
}

TEST_CASE("a report is delivered though the store cannot be read, and counts as unproved") {
  World w;
  auto id = w.send({"ann@far.example"});
  w.store.unreadable = true;
  w.bounce(w.header_of(id), "ann@far.example");
  w.store.unreadable = false;
  CHECK(w.last.ok());
  CHECK(w.unproved() == 1);
  CHECK(w.mails().size() == 1);
}

TEST_CASE("what is over, and what is of accounts that are gone, is swept") {
  World w;
  w.send({"ann@far.example"}, "quarantine");
  auto id = w.send({"ann@far.example"});
  w.bounce(w.header_of(id), "ann@far.example");
  w.store.general["bounced:lost@far.example"] = "x";
  w.store.general["trace:keep"] = "x";
  w.clock.set(w.clock.now() + std::chrono::hours(24 * 40));
  REQUIRE(w.loop.block_on(w.desk->sweep()));
  for (const auto& [key, value] : w.store.general) {
    INFO(key);
    CHECK_FALSE((key.starts_with("bounced:") || key.starts_with("suppressed:") || key.starts_with("abuse:")));
  }
  CHECK(w.store.general.contains("trace:keep"));
}

namespace {

struct QueueAndDesk : postern::delivery::test::QueueWorld {
  std::unique_ptr<AbuseDesk> desk;
  FixedClock clock{from_unix(1'795'492'742)};
  store::AccountId alice = 0;
  QueueAndDesk& open(const char* domain, postern::delivery::test::Host& host) {
    config.abuse.suppress_after = 1;
    config.abuse.alarm_bounces = 2;
    postmaster = store.add_account("postmaster@home.test");
    alice = store.add_account("alice@home.test");
    directory = std::make_unique<directory::Directory>(config, store);
    auto& route = config.routes.emplace_back();
    route.name = domain;
    route.tls = config::TlsUse::never;
    route.hosts.push_back({false, "127.0.0.1", host.endpoint.port});
    loop.spawn(host.serve(loop), "host");
    routes = std::make_unique<Routes>(config);
    connector = std::make_unique<Connector>(resolver, Connector::Self{"gate.test", {}, {}});
    AbuseDesk::Parts parts{store, *directory, nullptr, "gate.test"};
    desk = std::make_unique<AbuseDesk>(std::move(parts), clock);
    desk->configure(config.abuse);
    queue = std::make_unique<Queue>(Queue::Parts{loop, store, *directory, *routes, *connector, "gate.test", nullptr, desk.get()}, config.queue);
    loop.spawn(queue->run(), "queue");
    return *this;
  }
  // 7Q3K2 is what put() sends.
  void trace(const std::string& login) {
    store.general["trace:7Q3K2"] = "{\"login\":\"" + login + "\",\"message_id\":\"\",\"recipients\":{\"ann@far.test\":{},\"bob@far.test\":{}}}";
  }
};

struct WithHost {
  postern::delivery::test::Host host;
};
struct Sending : WithHost, QueueAndDesk {};

}  // namespace

TEST_CASE("a host that does not know a recipient makes him a dead address, and two are this user's alarm") {
  Sending w;
  w.host.at_rcpt["ann@far.test"] = "550 5.1.1 No such user";
  w.host.at_rcpt["bob@far.test"] = "550 5.1.1 No such user";
  w.open("far.test", w.host).trace("alice@home.test");
  w.put("far.test", {"ann@far.test", "bob@far.test"}, true, "alice@home.test");
  REQUIRE(w.empty());
  auto found = w.desk->suppressed(w.alice, "ann@far.test");
  REQUIRE(found);
  CHECK(has(found->words, "550 5.1.1 No such user"));
  CHECK(w.desk->troubles(w.alice).bounces == 2);
  auto notes = w.mails(w.postmaster, store::SpecialUse::inbox);
  REQUIRE(notes.size() == 1);
  CHECK(has(notes[0], "Subject: Alarm: mail by alice@home.test"));
  CHECK(w.mails(w.alice, store::SpecialUse::inbox).size() == 1);   // the report, as always
  CHECK(w.store.general.contains("suppressed:0:ann@far.test"));
  // He is there again.
  w.host.at_rcpt.clear();
  w.put("far.test", {"ann@far.test"}, true, "alice@home.test");
  REQUIRE(w.until([&] { return !w.store.general.contains("suppressed:0:ann@far.test"); }));
  CHECK_FALSE(w.desk->suppressed(w.alice, "ann@far.test"));
  CHECK(w.desk->suppressed(w.alice, "bob@far.test"));
}

TEST_CASE("what strangers send through us, and what is refused for another reason, says nothing of an address") {
  Sending w;
  w.host.at_rcpt["ann@far.test"] = "550 5.7.1 You are a spammer";
  w.host.at_rcpt["bob@far.test"] = "550 5.1.1 No such user";
  w.open("far.test", w.host).trace("");
  w.put("far.test", {"bob@far.test"}, true, "alice@home.test");
  REQUIRE(w.empty());
  w.trace("alice@home.test");
  w.put("far.test", {"ann@far.test"}, true, "alice@home.test");
  REQUIRE(w.empty());
  CHECK(w.desk->suppressions().empty());
  CHECK(w.desk->figures().bounces == 0);
}

TEST_CASE("a bounce that could not be written down is counted once all the same") {
  Sending w;
  w.host.at_rcpt["ann@far.test"] = "550 5.1.1 No such user";
  w.open("far.test", w.host).trace("alice@home.test");
  w.put("far.test", {"ann@far.test"}, true, "alice@home.test");
  w.store.low_space = true;
  auto asked = [&] { return std::count_if(w.host.heard.begin(), w.host.heard.end(), [](const std::string& line) { return line.starts_with("RCPT"); }); };
  REQUIRE(w.until([&] { return asked() >= 2; }));   // the first time nothing could be told, nor counted for good
  CHECK_FALSE(w.store.general.contains("suppressed:0:ann@far.test"));
  w.store.low_space = false;
  REQUIRE(w.empty());
  CHECK(w.desk->troubles(w.alice).bounces == 1);
  CHECK(w.store.general.contains("suppressed:0:ann@far.test"));
}
