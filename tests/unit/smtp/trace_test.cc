// What a session writes down of those whom it refuses, and what its refusals say.
#include <algorithm>
#include <map>

#include "gateway/base/id.h"
#include "gateway/base/text.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/smtp/sentences.h"
#include "gateway/store/trace_search.h"
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

struct TraceWorld : World {
  config::Trace days;
  delivery::TraceLog log{store, days};

  TraceWorld() {
    services.trace = &log;
    peer_address = "198.51.100.9";
  }
  Words say(Words lines) { return loop.block_on(dialogue(*this, std::move(lines))); }
  std::vector<store::TraceLine> lines() {
    loop.block_on(log.write_waiting());
    store::TraceQuery query;
    query.since = Clock::system().now() - std::chrono::hours(1);
    auto found = loop.block_on(store::search_traces(store, query));
    REQUIRE(found);
    return found->lines;
  }
  std::vector<std::map<std::string, std::string>> events(const std::string& id) {
    std::vector<std::map<std::string, std::string>> out;
    auto prefix = store::trace_events_prefix(id);
    for (const auto& [key, value] : store.general) {
      if (!key.starts_with(prefix)) continue;
      auto event = store::decode_trace_event(value);
      REQUIRE(event);
      auto& one = out.emplace_back(event->fields.begin(), event->fields.end());
      one["kind"] = event->kind;
    }
    return out;
  }
};

std::string id_in(const std::string& reply) {
  auto at = reply.rfind("(id ");
  REQUIRE(at != std::string::npos);
  auto id = reply.substr(at + 4, kIdLength);
  REQUIRE(id_number(id));
  return id;
}

}  // namespace

TEST_CASE("a recipient that is refused is written down under the id in the reply") {
  TraceWorld w;
  auto said = w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<Nobody@example.test>"});
  auto id = id_in(said.back());
  auto lines = w.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].id == id);
  CHECK(lines[0].session);
  CHECK(lines[0].sender == "you@sender.example");
  CHECK(lines[0].recipients == std::vector<std::string>{"Nobody@example.test"});
  auto events = w.events(id);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["kind"] == "refused");
  CHECK(events[0]["stage"] == "rcpt");
  CHECK(events[0]["to"] == "Nobody@example.test");
  CHECK(events[0]["helo"] == "client.example");
  CHECK(events[0]["reply"].starts_with("550 <Nobody@example.test>: no such user here (id "));
  CHECK_FALSE(events[0]["message"].empty());
}

TEST_CASE("what a rule refuses at connect, mail and rcpt is written down with the rule and its place") {
  for (const char* stage : {"connect", "mail", "rcpt"}) {
    INFO(stage);
    TraceWorld w;
    Decision no;
    no.action = Action::reject;
    no.rule = "hard";
    no.at = "rules/1.lua:7";
    no.why = "because";
    no.reply = "because";
    std::string_view at = stage;
    (at == "connect" ? w.judge.answers.connect : at == "mail" ? w.judge.answers.mail : w.judge.answers.rcpt) = no;
    Words lines;
    if (at != "connect") lines = {"EHLO client.example", "MAIL FROM:<you@sender.example>"};
    if (at == "rcpt") lines.push_back("RCPT TO:<ann@example.test>");
    auto said = w.say(lines);
    auto id = id_in(said.back());
    REQUIRE(w.lines().size() == 1);
    auto events = w.events(id);
    REQUIRE(events.size() == 1);
    CHECK(events[0]["stage"] == stage);
    CHECK(events[0]["rule"] == "hard");
    CHECK(events[0]["at"] == "rules/1.lua:7");
    CHECK(events[0]["why"] == "because");
  }
}

TEST_CASE("mistakes in the dialogue are no refusals") {
  TraceWorld w;
  w.say({"NONSENSE", "RCPT TO:<ann@example.test>", "EHLO client.example", "MAIL FROM:<you@sender.example> ODD=1", "MAIL FROM:<you@sender.example>",
         "RCPT TO:nothing", "RCPT TO:<ann@example.test>"});
  CHECK(w.lines().empty());
}

TEST_CASE("of many refusals of a session twenty are written down, then fewer and fewer") {
  TraceWorld w;
  w.settings.errors_per_session = 0;
  Words lines{"EHLO client.example", "MAIL FROM:<you@sender.example>"};
  for (int i = 0; i < 150; ++i) lines.push_back("RCPT TO:<guess" + std::to_string(i) + "@example.test>");
  auto said = w.say(lines);
  auto id = id_in(said.back());
  CHECK(w.lines().size() == 1);
  auto events = w.events(id);
  CHECK(events.size() == 20 + 3);   // 32, 64, 128
  auto most = std::max_element(events.begin(), events.end(), [](auto& a, auto& b) { return a["so_far"].size() < b["so_far"].size(); });
  CHECK((*most)["so_far"] == "128");
  CHECK(w.lines()[0].all_recipients <= 40);
}

TEST_CASE("a message that is refused before it is judged is written down, and one that is judged is not written twice") {
  TraceWorld w;
  w.settings.received_limit = 0;
  auto said = w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>", "DATA", "Received: a\r\nReceived: b\r\n\r\nx\r\n."});
  auto id = id_in(said.back());
  CHECK(w.lines().size() == 1);
  auto events = w.events(id);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["stage"] == "data");
  TraceWorld other;
  other.judge.answers.message.verdict = "reject";
  other.judge.answers.message.reply = "no (id X)";
  said = other.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>", "DATA", "Subject: x\r\n\r\nx\r\n."});
  CHECK(said.back() == "550 5.7.1 no (id X)");
  auto lines = other.lines();
  REQUIRE(lines.size() == 1);
  CHECK_FALSE(lines[0].session);
  CHECK(lines[0].verdict == "reject");
}

TEST_CASE("a message that could not be stored is written down once the disk takes it") {
  TraceWorld w;
  w.store.fail_with = store::Outcome::no_space;
  auto said = w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<ann@example.test>", "DATA", "Subject: x\r\n\r\nx\r\n."});
  CHECK(said.back().starts_with("452 4.3.1"));
  w.store.fail_with = store::Outcome::done;
  auto lines = w.lines();
  REQUIRE(lines.size() == 1);
  auto events = w.events(lines[0].id);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["stage"] == "store");
}

TEST_CASE("a token in an address is in no trace, wherever it is sent") {
  TraceWorld w;
  const std::string token = "abcdefghijklmnopqrstuvwxyz234567abcdefghijkl";
  w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<release-" + token + "@elsewhere.example>",
         "RCPT TO:<Release-" + ascii_uppered(token) + "@example.test>"});
  CHECK(w.lines().size() == 1);
  for (const auto& [key, value] : w.store.general) {
    CHECK(ifind(key, token) == std::string::npos);
    CHECK(ifind(value, token) == std::string::npos);
  }
}

TEST_CASE("our own refusals speak the language of the recipient's domain, with marks where they may be said") {
  TraceWorld w;
  w.settings.languages["example.test"] = config::Language::vietnamese;
  auto said = w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<nobody@EXAMPLE.test>", "RCPT TO:<nobody@other.example>", "RSET",
                     "MAIL FROM:<you@sender.example> SMTPUTF8", "RCPT TO:<nobody@example.test>"});
  CHECK(said[3].find(": khong co nguoi dung nay o day (id ") != std::string::npos);
  CHECK(said[4].find(": relaying denied (id ") != std::string::npos);
  CHECK(said[7].find(": không có người dùng này ở đây (id ") != std::string::npos);
  w.settings.language = config::Language::vietnamese;
  said = w.say({"EHLO client.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<nobody@other.example>"});
  CHECK(said[3].find(": khong duoc phep chuyen tiep (id ") != std::string::npos);
}

TEST_CASE("each sentence has both languages, and without marks it is ASCII") {
  for (int i = 0; i <= static_cast<int>(Sentence::too_many_lately); ++i) {
    auto which = static_cast<Sentence>(i);
    auto english = sentence(which, config::Language::english, true);
    auto marked = sentence(which, config::Language::vietnamese, true);
    auto bare = sentence(which, config::Language::vietnamese, false);
    INFO(english);
    CHECK(is_ascii(english));
    CHECK(english != marked);
    CHECK_FALSE(is_ascii(marked));
    CHECK(is_ascii(bare));
    CHECK(bare.find('?') == std::string::npos);
  }
}
