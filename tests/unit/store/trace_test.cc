// The trace's keys and values, and searches in a store on disk.
#include "gateway/store/trace.h"

#include <algorithm>

#include "gateway/base/id.h"
#include "gateway/base/random.h"
#include "gateway/store/trace_search.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;
using namespace std::chrono_literals;

namespace {

const Time kNow = Clock::system().now();

std::string id_made(Time when, unsigned n = 0) { return id_text(first_id_at(when) + n); }

TraceLine line_of(std::string id, std::string from, std::string to, std::string subject = "") {
  TraceLine line;
  line.id = std::move(id);
  line.sender = std::move(from);
  line.recipients = {std::move(to)};
  line.subject = std::move(subject);
  line.verdict = "ham";
  line.ip = IpAddress::parse("192.0.2.7");
  return line;
}

struct Traces : Fixture {
  void add(const TraceLine& line) {
    auto written = run(store->write(trace_line_rows(line)));
    REQUIRE(written.ok());
  }
  std::vector<std::string> ids(TraceQuery query) {
    auto found = run(search_traces(*store, std::move(query)));
    REQUIRE(found);
    last = std::move(*found);
    std::vector<std::string> out;
    for (const auto& line : last.lines) out.push_back(line.id);
    return out;
  }
  std::vector<std::string> of(std::string TraceQuery::*field, std::string value) {
    TraceQuery query;
    query.since = kNow - 90 * 24h;
    query.*field = std::move(value);
    return ids(std::move(query));
  }
  std::vector<TraceEvent> events(const std::string& id) {
    auto rows = run(store->scan(trace_events_prefix(id), trace_events_prefix(id), 1000));
    REQUIRE(rows);
    std::vector<TraceEvent> out;
    for (const auto& row : *rows) {
      REQUIRE(time_of_trace_event(row.key));
      auto event = decode_trace_event(*row.value);
      REQUIRE(event);
      out.push_back(*event);
    }
    return out;
  }
  TraceFound last;
};

std::string field(const TraceEvent& event, std::string_view name) {
  for (const auto& [known, value] : event.fields) {
    if (known == name) return value;
  }
  return "(none)";
}

}  // namespace

TEST_CASE("an id tells its time, and sorts by it as a number and as text") {
  auto before = Clock::system().now();
  auto id = new_id();
  auto after = Clock::system().now();
  auto number = id_number(id);
  REQUIRE(number);
  CHECK(id_text(*number) == id);
  CHECK(time_of_id(*number) + 16us >= before);
  CHECK(time_of_id(*number) <= after);
  CHECK(first_id_at(before - 1ms) < *number);
  CHECK(first_id_at(after + 1ms) > *number);
  CHECK(id_made(kNow) < id_made(kNow + 1s));
  CHECK(time_of_id(first_id_at(kNow)) >= kNow);
  CHECK_FALSE(id_number("7Q3K2"));
  CHECK_FALSE(id_number("ZZZZZZZZZZZZZ"));
  CHECK_FALSE(id_number("0000000000o00"));
  CHECK(id_as_meant(" oooooooooooo1\n") == "0000000000001");
  CHECK_FALSE(id_as_meant("../../etc"));
  CHECK(first_id_at(Time{} - 1s) == 0);
}

TEST_CASE("values come back as they were written, and nothing else is taken for one") {
  auto line = line_of(new_id(), "a@b.example", "c@d.example", "Hoá đơn");
  line.author = "boss@b.example";
  line.message_id = "<1@b.example>";
  line.ip = IpAddress::parse("2001:db8::1");
  line.login = "c@d.example";
  line.reply = "Accepted";
  line.size = 12345;
  line.score = 4.5;
  for (int i = 0; i < 30; ++i) line.recipients.push_back("r" + std::to_string(i) + "@d.example");
  auto value = encode(line);
  auto back = decode_trace_line(value);
  REQUIRE(back);
  CHECK(encode(*back).size() == value.size());
  CHECK(back->author == line.author);
  CHECK(back->ip == line.ip);
  CHECK(back->score == 4.5);
  CHECK(back->all_recipients == 31);
  CHECK(back->recipients.size() == TraceLine::kShown);
  for (std::size_t cut = 0; cut < value.size(); ++cut) CHECK_FALSE(decode_trace_line(std::string_view(value).substr(0, cut)));
  TraceEvent event{"moved", {{"from", "Quarantine"}, {"mailbox", "INBOX"}}, {}};
  auto text = encode(event);
  CHECK(decode_trace_event(text)->fields == event.fields);
  for (std::size_t cut = 0; cut < text.size(); ++cut) CHECK_FALSE(decode_trace_event(std::string_view(text).substr(0, cut)));
  CHECK_FALSE(decode_trace_event(text + "x"));
}

TEST_CASE("what an event or a line takes is bounded, in whole characters") {
  TraceEvent event{"x", {}, {}};
  for (int i = 0; i < 1000; ++i) event.fields.emplace_back("n", std::string(599, 'a') + "đđđđ");
  auto back = decode_trace_event(encode(event));
  REQUIRE(back);
  CHECK(back->fields.size() == kMaxTraceFields);
  CHECK(back->fields[0].second == std::string(599, 'a'));
  auto line = line_of(new_id(), std::string(5000, 'x') + "@b.example", "c@d.example", "w");
  std::string subject;
  for (int i = 0; i < 500; ++i) subject += "word" + std::to_string(i) + " ";
  line.subject = subject;
  for (int i = 0; i < 5000; ++i) line.recipients.push_back(std::to_string(i) + "@d.example");
  auto rows = trace_line_rows(line);
  CHECK(rows.size() <= 5 + kMaxTraceRecipients + kMaxTraceWords);
  for (const auto& row : rows) CHECK(row.key.size() < 256);
  CHECK(rows[0].value->size() < 4096);
}

TEST_CASE("an address, a domain, what is below it, a network, a word and a Message-ID find their messages, the newest first") {
  Traces w;
  std::vector<std::string> id;
  for (unsigned i = 0; i < 6; ++i) id.push_back(id_made(kNow - (6 - i) * 30h));
  w.add(line_of(id[0], "Ann@Sender.example", "alice@example.test", "Invoice for November"));
  w.add(line_of(id[1], "bob@mail.sender.example", "alice@example.test", "Hoá đơn tháng 11"));
  w.add(line_of(id[2], "ann@sender.example.evil.test", "bob@example.test", "invoice paid"));
  auto third = line_of(id[3], "bounce@lists.example", "bob@example.test", "invoices");
  third.author = "ann@sender.example";
  third.message_id = "<A1@x>";
  third.ip = IpAddress::parse("192.0.99.1");
  w.add(third);
  auto sixth = line_of(id[4], "", "carol@example.test", "Undelivered");
  sixth.ip = IpAddress::parse("2001:db8:1:2::9");
  w.add(sixth);

  CHECK(w.of(&TraceQuery::from, "ann@sender.example") == std::vector{id[3], id[0]});
  CHECK(w.of(&TraceQuery::from, "@sender.example") == std::vector{id[3], id[0]});
  CHECK(w.of(&TraceQuery::from, "SENDER.example") == std::vector{id[3], id[0]});
  CHECK(w.of(&TraceQuery::from, "@.sender.example") == std::vector{id[3], id[1], id[0]});
  CHECK(w.of(&TraceQuery::from, "@evil.test").empty());
  CHECK(w.of(&TraceQuery::to, "@example.test") == std::vector{id[4], id[3], id[2], id[1], id[0]});
  CHECK(w.of(&TraceQuery::to, "nobody@example.test").empty());
  CHECK(w.of(&TraceQuery::subject, "invoice") == std::vector{id[2], id[0]});
  CHECK(w.of(&TraceQuery::subject, "invoi*") == std::vector{id[3], id[2], id[0]});
  CHECK(w.of(&TraceQuery::subject, "NOVEMBER invoice") == std::vector{id[0]});
  CHECK(w.of(&TraceQuery::subject, "don hoa") == std::vector{id[1]});
  CHECK(w.of(&TraceQuery::message_id, "A1@x") == std::vector{id[3]});
  CHECK(w.of(&TraceQuery::message_id, "<A1@x>") == std::vector{id[3]});
  auto by_ip = [&](const char* network) {
    TraceQuery query;
    query.since = kNow - 90 * 24h;
    query.ip = Network::parse(network);
    return w.ids(query);
  };
  CHECK(by_ip("192.0.99.1") == std::vector{id[3]});
  CHECK(by_ip("192.0.2.0/25").size() == 3);
  CHECK(by_ip("192.0.0.0/17").size() == 4);
  CHECK(by_ip("2001:db8::/32") == std::vector{id[4]});
  CHECK(by_ip("0.0.0.0/0").size() == 4);
  // All together.
  TraceQuery query;
  query.since = kNow - 90 * 24h;
  query.from = "@sender.example";
  query.to = "alice@example.test";
  query.subject = "november";
  CHECK(w.ids(query) == std::vector{id[0]});
  query.to = "bob@example.test";
  CHECK(w.ids(query).empty());
}

TEST_CASE("since, until and limit hold to the message") {
  Traces w;
  std::vector<std::string> id;
  for (unsigned i = 0; i < 50; ++i) {
    id.push_back(id_made(kNow - 100h + i * 1h));
    w.add(line_of(id.back(), "a@b.example", "c@d.example"));
  }
  for (const char* from : {"", "a@b.example", "@b.example"}) {
    INFO(from);
    TraceQuery query;
    query.from = from;
    query.since = kNow - 90h;
    query.until = kNow - 80h;
    CHECK(w.ids(query) == std::vector(std::reverse_iterator(id.begin() + 20), std::reverse_iterator(id.begin() + 10)));
    CHECK_FALSE(w.last.more);
    query.limit = 3;
    CHECK(w.ids(query) == std::vector{id[19], id[18], id[17]});
    CHECK(w.last.more);
    query.until = query.since;
    CHECK(w.ids(query).empty());
  }
}

TEST_CASE("of thousands of messages all are found that fit, and no other, whatever is asked for first") {
  Traces w;
  std::vector<Row> rows;
  std::size_t wanted = 0;
  for (unsigned i = 0; i < 6000; ++i) {
    auto line = line_of(id_made(kNow - 6000min + i * 1min, i), "u" + std::to_string(i % 700) + "@s" + std::to_string(i % 3) + ".example",
                        "r" + std::to_string(i % 5) + "@example.test", i % 2 == 0 ? "monthly report" : "daily report");
    if (i % 3 == 1 && i % 5 == 4 && i % 2 == 0) ++wanted;
    for (auto& row : trace_line_rows(line)) rows.push_back(std::move(row));
  }
  REQUIRE(w.run(w.store->write(std::move(rows))).ok());
  TraceQuery query;
  query.since = kNow - 30 * 24h;
  query.from = "@s1.example";
  query.to = "r4@example.test";
  query.subject = "report MONTHLY";
  query.limit = 10'000;
  auto found = w.ids(query);
  CHECK(found.size() == wanted);
  CHECK(std::is_sorted(found.rbegin(), found.rend()));
}

TEST_CASE("what a message with many recipients does not show is still found by them") {
  Traces w;
  auto line = line_of(new_id(), "a@b.example", "first@d.example");
  for (int i = 0; i < 100; ++i) line.recipients.push_back("r" + std::to_string(i) + "@d.example");
  w.add(line);
  CHECK(w.of(&TraceQuery::to, "r99@d.example").size() == 1);
  CHECK(w.of(&TraceQuery::to, "r100@d.example").empty());
}

TEST_CASE("a day is forgotten by one range, and what is younger stays") {
  Traces w;
  auto old = id_made(kNow - 40 * 24h), young = id_made(kNow - 24h);
  for (const auto& id : {old, young}) {
    w.add(line_of(id, "a@b.example", "c@d.example", "word"));
    auto row = trace_event_row(id, {"moved", {}, {}});
    REQUIRE(row);
    REQUIRE(w.run(w.store->write({*row, Row{trace_key(id), "{}"}})).ok());
  }
  auto floor = begin_of_trace_day(trace_day(kNow - 30 * 24h));
  REQUIRE(w.run(w.store->erase_rows(std::string(kTracePrefix), trace_key(id_text(first_id_at(floor))))).ok());
  REQUIRE(w.run(w.store->erase_rows(std::string(kTraceIndexPrefix), trace_day_key(trace_day(floor)))).ok());
  CHECK(w.of(&TraceQuery::from, "a@b.example") == std::vector{young});
  CHECK(w.of(&TraceQuery::subject, "word") == std::vector{young});
  CHECK(w.events(old).empty());
  CHECK(w.events(young).size() == 1);
  CHECK_FALSE(w.value(trace_key(old)));
  CHECK(w.value(trace_key(young)));
  // Only within one owner's rows.
  CHECK_FALSE(w.run(w.store->erase_rows("", "z")).ok());
  CHECK_FALSE(w.run(w.store->erase_rows("trace:", "user:")).ok());
  CHECK_FALSE(w.run(w.store->erase_rows("trace:b", "trace:a")).ok());
  w.reopen();
  CHECK(w.of(&TraceQuery::from, "a@b.example") == std::vector{young});
}

TEST_CASE("where a message lies, is moved, copied, released and expunged is noted in the same commit") {
  Traces w;
  auto inbox = w.box("INBOX"), archive = w.box("Archive"), quarantine = w.box("Quarantine");
  Item item;
  item.id = new_id();
  item.pieces.emplace_back(std::string("Subject: x\r\n\r\nx"));
  item.targets.push_back(w.to("INBOX"));
  Onward onward;
  onward.destination = "far.example";
  item.onward.push_back(onward);
  auto id = item.id;
  REQUIRE(w.deliver(std::move(item)).ok());
  auto events = w.events(id);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "stored");
  CHECK(field(events[0], "account") == "a@example.test");
  CHECK(field(events[0], "mailbox") == "INBOX");
  CHECK(field(events[0], "uid") == "1");
  CHECK(field(events[0], "destination") == "far.example");
  REQUIRE(w.run(w.store->copy(inbox.id, {1}, archive.id)).ok());
  REQUIRE(w.run(w.store->move(inbox.id, {1}, archive.id)).ok());
  REQUIRE(w.run(w.store->erase(archive.id, {1})).ok());
  events = w.events(id);
  REQUIRE(events.size() == 4);
  CHECK(events[1].kind == "copied");
  CHECK(events[2].kind == "moved");
  CHECK(field(events[2], "from") == "INBOX");
  CHECK(field(events[2], "mailbox") == "Archive");
  CHECK(field(events[2], "uid") == "2");
  CHECK(events[3].kind == "expunged");
  CHECK(field(events[3], "uid") == "1");

  Item held;
  held.id = new_id();
  held.pieces.emplace_back(std::string("Subject: y\r\n\r\ny"));
  held.targets.push_back(w.to("Quarantine"));
  held.targets[0].held = Held{};
  auto second = held.id;
  REQUIRE(w.deliver(std::move(held)).ok());
  REQUIRE(w.run(w.store->move(quarantine.id, {1}, inbox.id)).ok());
  CHECK(w.events(second).at(1).kind == "released");
}

TEST_CASE("of what was made before the trace begins, and of foreign ids, nothing is noted") {
  Traces w;
  for (const auto& id : {id_made(kNow - 31 * 24h), std::string("ID1"), std::string()}) {
    Item item;
    item.id = id;
    item.pieces.emplace_back(std::string("x"));
    item.targets.push_back(w.to("INBOX"));
    REQUIRE(w.deliver(std::move(item)).ok());
  }
  REQUIRE(w.run(w.store->move(w.box("INBOX").id, {1, 2, 3}, w.box("Archive").id)).uids.size() == 3);
  CHECK(w.rows("trace").empty());
}
