// The life of a message in words, also from rows that are damaged.
#include "gateway/admin/trace_words.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace postern::admin;
using nlohmann::json;

TEST_CASE("the events stand in their order, with what was judged between what was refused and what came after") {
  auto words = why_in_words(json::parse(R"({"id":"ID","what":"message","line":{"from":"a@b.example","author":"a@b.example","to":["c@d.example"],"recipients":3,"subject":"Hoá đơn"},
    "judged":{"time":"2026-12-01T15:40:37Z","ip":"192.0.2.1","helo":"h","size":10,"session":"S","verdict":"quarantine","score":7.25,"rules":"abc","reply":"Accepted",
      "facts":{"spf":{"result":"pass","domain":"b.example"},"dkim":[],"virus":"Eicar"},
      "hits":[{"rule":"r","kind":"score","points":-1.5,"why":"w","at":"rules/1.lua:2"},{"rule":"s","kind":"reject","points":0,"why":"v","at":"rules/1.lua:9","shadow":true}],
      "recipients":{"c@d.example":{"action":"quarantine","class":"virus","score":7.25}}},
    "events":[{"time":"2026-12-01T15:40:36.000Z","event":"refused","stage":"rcpt","to":"typo@d.example","from":"a@b.example","reply":"550 no"},
              {"time":"2026-12-01T15:40:38.000Z","event":"stored","copies":[{"account":"c@d.example","mailbox":"Quarantine","uid":"4"}],"queued":[{"entry":"9","destination":"x.example"}]},
              {"time":"2026-12-01T15:40:39.000Z","event":"deferred","to":"e@x.example","host":"mx","reply":"451 later"},
              {"time":"2026-12-01T15:40:40.000Z","event":"something new","a":"b"}],
    "queue":[{"destination":"x.example","id":"9","due":"T","expires":"U","why":"down"}],"messages":[]})"));
  std::size_t last = 0;
  for (const char* text : {"Message ID", "from <a@b.example>", "to c@d.example ... 3 in all", "subject Hoá đơn", "refused the recipient <typo@d.example>",
                           "came from 192.0.2.1, which calls itself h, without TLS, 10 octets, session S", "SPF pass for b.example; no DKIM signature; virus Eicar",
                           "rule   -1.5      r (rules/1.lua:2): w", "reject    s (rules/1.lua:9): v [shadow: not counted]", "judged quarantine, 7.2 points, by rules abc",
                           "<c@d.example>: held, class virus", "answer \"Accepted\"", "stored for c@d.example in Quarantine, UID 4", "queued for x.example, entry 9",
                           "not yet handed on to <e@x.example> at mx: 451 later", "something new a=b", "waits  in the queue for x.example"}) {
    INFO(text << "\n" << words);
    auto at = words.find(text, last);
    REQUIRE(at != std::string::npos);
    last = at;
  }
}

TEST_CASE("a damaged or hostile row never throws and never drives the terminal") {
  for (const char* text : {R"({})", R"({"line":7,"judged":[],"events":[7,null,[],{"event":7,"time":9}],"queue":[1],"messages":[2]})",
                           R"({"what":"message","line":{"to":9,"from":[],"recipients":{}},"judged":{"facts":{"spf":7,"dkim":[1],"dmarc":null,"virus":{}},"hits":[1,{}],"recipients":{"a":1}},"events":[]})",
                           R"({"judged":{"time":"T","hits":{},"recipients":[]},"events":[{"event":"stored","copies":7,"queued":[3]},{"event":"refused"},{"event":"reported","by":[1]}]})"}) {
    INFO(text);
    CHECK_NOTHROW(why_in_words(json::parse(text)));
  }
  auto words = why_in_words(json::parse(R"({"what":"message","id":"X","line":{"subject":"\u001b[31mred\u0007","from":"a","to":[]},"events":[{"event":"sent","reply":"\u001b]0;x"}]})"));
  CHECK(words.find('\x1b') == std::string::npos);
  CHECK(words.find('\x07') == std::string::npos);
}
