// The administrator's commands on the outgoing queue, beside a queue at work whose hosts put everything off.
#include "gateway/admin/queue_commands.h"

#include <nlohmann/json.hpp>

#include "gateway/delivery/queue.h"
#include "tests/support/catch.h"
#include "tests/unit/delivery/queue_world.h"

using namespace postern;
using namespace std::chrono_literals;
using delivery::test::Host;
using delivery::test::QueueWorld;
using nlohmann::json;

namespace {

struct WithHosts {   // outlive the tasks of the world
  Host one, two;
};

struct World : WithHosts, QueueWorld {
  admin::Context context;
  World() {
    one.at_mail = two.at_mail = "451 4.3.0 later";
    config.queue.retry = {1h};
    config.queue.delay_notice = 0ms;
    behind("one.test", {&one}).behind("two.test", {&two}).begin();
    context.config = &config;
    context.store = &store;
    context.queue = queue.get();
  }
  json ask(const std::string& command, json request = json::object()) {
    request["command"] = "queue " + command;
    return loop.block_on(admin::run_queue_command(context, request));
  }
  // All pages of it.
  std::uint64_t change(const std::string& command, json request) {
    std::uint64_t changed = 0;
    for (;;) {
      auto answer = ask(command, request);
      REQUIRE(answer.value("ok", false));
      changed += answer["changed"].get<std::uint64_t>();
      if (!answer.contains("next")) return changed;
      request["from"] = answer["next"];
      request["before"] = answer["before"];
    }
  }
  std::vector<std::string> ids(json filter = json::object()) {
    std::vector<std::string> out;
    auto answer = ask("list", std::move(filter));
    for (const auto& row : answer["rows"]) out.push_back(row["id"]);
    return out;
  }
  bool all_tried(std::uint64_t count) {
    return until([&, count] { return queue->figures().deferred >= count; });
  }
};

}  // namespace

TEST_CASE("a filter takes what all its parts take") {
  World w;
  w.put("one.test", {"ann@one.test"});
  w.put("one.test", {"bob@one.test", "cat@one.test"}, false, "boss@sender.test");
  w.put("two.test", {"ann@two.test"}, false, "");
  REQUIRE(w.all_tried(4));
  CHECK(w.ids().size() == 3);
  CHECK(w.ids({{"to", "ANN@"}}) == std::vector<std::string>{"1", "3"});
  CHECK(w.ids({{"to", "one.test"}}) == std::vector<std::string>{"1", "2"});
  CHECK(w.ids({{"sender", "boss"}}) == std::vector<std::string>{"2"});
  CHECK(w.ids({{"sender", "<>"}}) == std::vector<std::string>{"3"});
  CHECK(w.ids({{"destination", "ONE.test"}, {"to", "ann"}}) == std::vector<std::string>{"1"});
  CHECK(w.ids({{"destination", "one"}}).empty());
  CHECK(w.ids({{"older", "1h"}}).empty());
  CHECK(w.ids({{"older", "1ms"}}).size() == 3);
  CHECK(w.ids({{"due", true}}).empty());
  CHECK(w.ids({{"held", true}}).empty());
  CHECK_FALSE(w.ask("list", {{"older", "soon"}}).value("ok", true));
  CHECK_FALSE(w.ask("list", {{"held", true}, {"due", true}}).value("ok", true));
}

TEST_CASE("the summary counts by destination, the fullest first") {
  World w;
  for (int i = 0; i < 3; ++i) w.put("two.test", {"ann@two.test", "bob@two.test"});
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.all_tried(7));
  CHECK(w.change("hold", {{"ids", {"1"}}}) == 1);
  auto rows = w.ask("summary")["rows"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["destination"] == "two.test");
  CHECK(rows[0]["entries"] == 3);
  CHECK(rows[0]["recipients"] == 6);
  CHECK(rows[0]["held"] == 1);
  CHECK(rows[1]["entries"] == 1);
  CHECK(w.ask("summary", {{"held", true}})["rows"].size() == 1);
}

TEST_CASE("what is shown of an entry is what is known of it") {
  World w;
  delivery::QueueState state;
  state.sender = "you@sender.test";
  state.envid = "E1";
  state.ret = "HDRS";
  auto& who = state.recipients.emplace_back();
  who.address = "ann@one.test";
  who.notify = *mail::parse_notify("SUCCESS,DELAY");
  who.orcpt = "rfc822;x@y";
  w.put_state("one.test", state);
  REQUIRE(w.all_tried(1));
  auto row = w.ask("show", {{"ids", {"1"}}})["rows"][0];
  CHECK(row["envid"] == "E1");
  CHECK(row["ret"] == "HDRS");
  CHECK(row["attempts"] == 1);
  CHECK(row["reports"] == false);
  CHECK(row["recipients"][0]["notify"] == "SUCCESS,DELAY");
  CHECK(row["recipients"][0]["orcpt"] == "rfc822;x@y");
  CHECK(row["recipients"][0]["why"] == "451 4.3.0 later (in reply to MAIL FROM)");
  CHECK(row["text"].get<std::string>().find("Subject: hi") != std::string::npos);
  CHECK_FALSE(w.ask("show", {{"ids", {"9"}}}).value("ok", true));
  CHECK_FALSE(w.ask("show").value("ok", true));
}

TEST_CASE("entries are held, thawed, tried and deleted by number, by filter and all, and each order tells how many") {
  World w;
  for (int i = 0; i < 3; ++i) w.put("one.test", {"ann@one.test"});
  w.put("two.test", {"ann@two.test"});
  REQUIRE(w.all_tried(4));
  CHECK(w.change("hold", {{"destination", "one.test"}}) == 3);
  CHECK(w.change("hold", {{"all", true}}) == 1);   // those that are held already do not count
  CHECK(w.change("thaw", {{"ids", {"4"}}}) == 1);
  CHECK(w.ids({{"held", true}}) == std::vector<std::string>{"1", "2", "3"});
  w.one.at_mail = w.two.at_mail = "250 ok";
  CHECK(w.change("retry", {{"ids", {"1", "1"}}}) == 1);
  REQUIRE(w.until([&] { return w.queued() == 3; }));
  CHECK(w.one.got.size() == 1);
  CHECK(w.change("delete", {{"held", true}}) == 2);
  CHECK(w.two.got.empty());                        // thawed only: it is tried in an hour
  CHECK(w.change("retry", {{"all", true}}) == 1);
  REQUIRE(w.empty());
  CHECK(w.two.got.size() == 1);
  CHECK(w.change("delete", {{"all", true}}) == 0);
}

TEST_CASE("an order that is not clear changes nothing") {
  World w;
  w.put("one.test", {"ann@one.test"});
  REQUIRE(w.all_tried(1));
  for (const auto& request : {json::object(), json{{"ids", {"x"}}}, json{{"ids", {"1", "7"}}}, json{{"ids", {"1"}}, {"all", true}},
                              json{{"ids", {"1"}}, {"held", true}}, json{{"older", "1"}}}) {
    INFO(request.dump());
    CHECK_FALSE(w.ask("delete", request).value("ok", true));
    CHECK(w.queued() == 1);
  }
  CHECK_FALSE(w.ask("frob", {{"all", true}}).value("ok", true));
  w.context.queue = nullptr;
  CHECK(w.ask("bounce", {{"all", true}})["error"].get<std::string>().find("no server runs") != std::string::npos);
}

TEST_CASE("what is bounced is reported as if its time were over") {
  World w;
  auto me = w.store.add_account("me@home.test");
  w.put("one.test", {"ann@one.test"}, true, "me@home.test");
  w.put("two.test", {"bob@two.test"}, true, "me@home.test");
  REQUIRE(w.all_tried(2));
  CHECK(w.change("hold", {{"ids", {"1"}}}) == 1);
  CHECK(w.change("bounce", {{"destination", "one.test"}}) == 1);
  REQUIRE(w.until([&] { return w.queued() == 1; }));
  auto told = w.mails(me, store::SpecialUse::inbox);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("Action: failed") != std::string::npos);
  CHECK(told[0].find("given up by the administrator") != std::string::npos);
}

TEST_CASE("thousands of entries are listed and changed page by page, and nothing that comes meanwhile is touched") {
  World w;
  store::Delivery many;
  delivery::QueueState state;
  state.sender = "you@sender.test";
  state.recipients.push_back({"ann@one.test", "", ""});
  for (int i = 0; i < 4500; ++i) {
    auto& item = many.items.emplace_back();
    item.pieces.emplace_back(std::string("Subject: x\r\n\r\n"));
    auto& onward = item.onward.emplace_back();
    onward.destination = "one.test";
    onward.due = Clock::system().now() + 1h;
    onward.state = encode(state);
  }
  w.store.now = Clock::system().now();
  REQUIRE(w.loop.block_on(w.store.deliver(std::move(many))).ok());
  auto first = w.ask("list");
  CHECK(first["rows"].size() == 1000);
  CHECK(w.ask("list", {{"from", first["next"]}})["rows"][0]["id"] == "1001");
  CHECK(w.ask("summary")["rows"][0]["entries"] == 4500);

  auto page = w.ask("delete", {{"all", true}});
  CHECK(page["changed"] == 2000);
  w.put("one.test", {"late@one.test"});
  CHECK(w.change("delete", {{"all", true}, {"from", page["next"]}, {"before", page["before"]}}) == 2500);
  auto left = w.ask("list")["rows"];
  REQUIRE(left.size() == 1);
  CHECK(left[0]["recipients"][0]["address"] == "late@one.test");
}
