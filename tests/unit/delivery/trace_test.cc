// What delivery writes into the trace, and the log of refusals.
#include "gateway/delivery/trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/base/id.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/store/trace_search.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

Judged judged(std::string id = new_id()) {
  Judged message;
  message.id = std::move(id);
  message.client.session = new_id();
  message.client.ip = *IpAddress::parse("198.51.100.7");
  message.client.helo = "mail.sender.example";
  message.sender.address = "bounce@sender.example";
  for (const char* address : {"alice@example.test", "bob@example.test"}) {
    smtp::Recipient recipient;
    recipient.address = address;
    message.recipients.push_back(recipient);
    smtp::RecipientVerdict verdict;
    verdict.address = address;
    verdict.score = 2.5;
    message.verdict.recipients.push_back(verdict);
  }
  message.received = Octets(std::string("From: =?utf-8?q?=C4=90=E1=BB=97?= <ann@sender.example>\r\nSubject: =?utf-8?b?SG/DoSDEkcahbg==?=\r\n =?utf-8?q?_11?=\r\n"
                                        "Message-Id: <1@sender.example>\r\nSubject: second\r\n\r\nSubject: body\r\n"));
  smtp::Hit hit;
  hit.rule = "odd";
  hit.kind = "score";
  hit.points = 2.5;
  hit.why = "a \"quote\" and \xff";
  hit.at = "rules/50.lua:7";
  hit.recipient = "bob@example.test";
  hit.shadow = true;
  message.verdict.hits.push_back(hit);
  message.verdict.facts = R"({"spf":{"result":"pass"}})";
  message.verdict.generation = "abc";
  message.when = Clock::system().now();
  return message;
}

struct Log {
  io::Loop loop;
  test::MemoryStore store;
  FixedClock clock{Clock::system().now()};
  config::Trace settings;
  TraceLog log{store, settings, clock};

  store::TraceLine session(std::string id = new_id()) {
    store::TraceLine line;
    line.id = std::move(id);
    line.session = true;
    line.recipients = {"nobody@example.test"};
    line.verdict = "refused";
    return line;
  }
  std::size_t rows(std::string_view prefix) {
    return static_cast<std::size_t>(std::count_if(store.general.begin(), store.general.end(), [&](const auto& row) { return row.first.starts_with(prefix); }));
  }
};

}  // namespace

TEST_CASE("a judged message is written down with all that was decided, whatever octets are in it") {
  auto message = judged();
  message.client.login = "alice@example.test";
  auto row = judged_row(message, "Accepted as X");
  CHECK(row.key == "trace:" + message.id);
  auto read = json::parse(*row.value);
  CHECK(read["session"] == message.client.session);
  CHECK(read["ip"] == "198.51.100.7");
  CHECK(read["login"] == "alice@example.test");
  CHECK(read["message_id"] == "<1@sender.example>");
  CHECK(read["reply"] == "Accepted as X");
  CHECK(read["rules"] == "abc");
  CHECK(read["facts"]["spf"]["result"] == "pass");
  CHECK(read["recipients"]["bob@example.test"]["action"] == "accept");
  CHECK(read["recipients"]["bob@example.test"]["score"] == 2.5);
  CHECK(read["hits"][0]["why"] == "a \"quote\" and \ufffd");
  CHECK(read["hits"][0]["at"] == "rules/50.lua:7");
  CHECK(read["hits"][0]["shadow"] == true);
  CHECK_FALSE(read["hits"][0].contains("off"));
  message.verdict.facts.clear();
  CHECK(json::parse(*judged_row(message, "").value)["facts"].is_null());
}

TEST_CASE("its line has the subject as it is read, the author, and each recipient once") {
  auto message = judged();
  message.recipients[1].given = "all@example.test";
  auto third = message.recipients[1];
  third.address = "carol@example.test";
  message.recipients.push_back(third);
  auto line = line_of(message, "ok");
  CHECK(line.subject == "Hoá đơn 11");
  CHECK(line.author == "ann@sender.example");
  CHECK(line.message_id == "<1@sender.example>");
  CHECK(line.recipients == std::vector<std::string>{"alice@example.test", "all@example.test"});
  message.client.known = false;
  CHECK_FALSE(line_of(message, "ok").ip);
}

TEST_CASE("a message that bears no id of ours has what was judged and no line") {
  CHECK(trace_rows(judged("7Q3K2"), "ok").size() == 1);
  auto message = judged();
  auto rows = trace_rows(message, "ok");
  CHECK(rows.size() > 5);
  CHECK(std::any_of(rows.begin(), rows.end(), [&](const store::Row& row) { return row.key.starts_with(store::trace_events_prefix(message.client.session)); }));
}

TEST_CASE("making the rows of a message with a header of a megabyte looks at its beginning alone") {
  auto message = judged();
  std::string text;
  while (text.size() < (1 << 20)) text += "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
  message.received = Octets(text + "Subject: too late\r\n\r\n");
  CHECK(line_of(message, "ok").subject.empty());
  message.received = Octets("Subject: " + std::string(1 << 20, 'a') + "\r\n\r\n");
  CHECK(line_of(message, "ok").subject.size() <= 4 * store::kMaxTraceText);
}

TEST_CASE("refusals are written in groups, and found") {
  Log w;
  auto line = w.session();
  w.log.refused(line, {"refused", {{"stage", "rcpt"}}, {}});
  line.recipients.push_back("other@example.test");
  w.log.refused(line, {"refused", {{"stage", "rcpt"}}, {}});
  CHECK(w.store.writes.empty());
  w.loop.block_on(w.log.write_waiting());
  CHECK(w.store.writes.size() == 1);
  CHECK(w.rows("trace:" + line.id + ".") == 2);
  store::TraceQuery query;
  query.to = "other@example.test";
  query.since = Clock::system().now() - 1h;
  auto found = w.loop.block_on(store::search_traces(w.store, query));
  REQUIRE(found);
  REQUIRE(found->lines.size() == 1);
  CHECK(found->lines[0].id == line.id);
  CHECK(found->lines[0].session);
  w.loop.block_on(w.log.write_waiting());
  CHECK(w.store.writes.size() == 1);   // nothing new
}

TEST_CASE("too many refusals are dropped and counted, by session, by number and by the day's octets") {
  Log w;
  auto one = w.session();
  for (std::size_t i = 0; i < TraceLog::kMostEvents + 7; ++i) w.log.refused(one, {"refused", {}, {}});
  CHECK(w.log.figures().dropped == 7);
  for (std::size_t i = 0; i < TraceLog::kMostSessions + 9; ++i) w.log.refused(w.session(), {"refused", {}, {}});
  CHECK(w.log.figures().dropped == 7 + 10);
  w.loop.block_on(w.log.write_waiting());
  CHECK(w.log.figures().written == TraceLog::kMostEvents + TraceLog::kMostSessions - 1);

  Log small;
  small.settings.max_size = 100'000;
  small.log.configure(small.settings);
  for (int i = 0; i < 2000; ++i) {
    small.log.refused(small.session(), {"refused", {{"reply", std::string(100, 'x')}}, {}});
    if (i % 10 == 9) small.loop.block_on(small.log.write_waiting());
  }
  CHECK(small.log.figures().dropped > 1000);
  CHECK(small.log.octets() < 2 * small.settings.max_size / TraceLog::kShareOfRefusals);
  small.clock.set(small.clock.now() + 24h);   // a new day
  auto dropped = small.log.figures().dropped.load();
  small.log.refused(small.session(), {"refused", {}, {}});
  CHECK(small.log.figures().dropped == dropped);
}

TEST_CASE("what cannot be written is gone, and the next group is written") {
  Log w;
  w.log.refused(w.session(), {"refused", {}, {}});
  w.store.fail_with = store::Outcome::no_space;
  w.loop.block_on(w.log.write_waiting());
  w.store.fail_with = store::Outcome::done;
  w.log.refused(w.session(), {"refused", {}, {}});
  w.loop.block_on(w.log.write_waiting());
  CHECK(w.rows("trace:") == 1);
}

TEST_CASE("days that are over are forgotten, and the oldest first when they are too large") {
  Log w;
  auto add = [&](Time when, std::size_t octets) {
    w.clock.set(when);
    auto id = id_text(first_id_at(when));
    std::vector<store::Row> rows;
    auto line = w.session(id);
    for (auto& row : store::trace_line_rows(line)) rows.push_back(std::move(row));
    rows.push_back({store::trace_key(id), std::string(octets, 'x')});
    w.log.note(rows);
    REQUIRE(w.loop.block_on(w.store.write(std::move(rows))).ok());
    return id;
  };
  auto now = w.clock.now();
  auto oldest = add(now - 31 * 24h, 10), old = add(now - 29 * 24h, 1000), young = add(now - 24h, 1000), newest = add(now, 1000);
  w.store.general["trace"] = "another's";
  w.store.general["tracf:"] = "another's";
  w.loop.block_on(w.log.write_waiting());
  auto there = [&](const std::string& id) { return w.store.general.contains(store::trace_key(id)) && w.store.general.contains(store::trace_line_key(*id_number(id))); };
  w.loop.block_on(w.log.forget());
  CHECK_FALSE(there(oldest));
  CHECK((there(old) && there(young) && there(newest)));
  // As it is after a restart.
  TraceLog again(w.store, w.settings, w.clock);
  REQUIRE(w.loop.block_on(again.load()));
  CHECK(again.octets() == w.log.octets());
  auto settings = w.settings;
  settings.max_size = 3000;
  again.configure(settings);
  w.loop.block_on(again.forget());
  CHECK_FALSE(there(old));
  CHECK((there(young) && there(newest)));
  settings.max_size = 1;
  again.configure(settings);
  w.loop.block_on(again.forget());
  CHECK_FALSE(there(young));
  CHECK(there(newest));   // today stays
  CHECK(w.store.general.contains("trace"));
  CHECK(w.store.general.contains("tracf:"));
}
