// The outgoing queue as the scheduler sees it.
#include "gateway/io/together.h"
#include "tests/unit/store/queue_world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

TEST_CASE("an entry holds what it was given, and when it came") {
  on_both_stores([](QueueWorld& w) {
    auto later = onward_to("relay:example.org", "Received: x\r\n", std::string("state\0of it", 11));
    later.due = from_unix(2'000'000'000);
    auto delivered = w.deliver({onward_item("text", {onward_to("b"), later})});
    REQUIRE(delivered.ok());
    REQUIRE(delivered.queued[0].size() == 2);
    CHECK(delivered.placed[0].empty());
    auto now = w.entry(delivered.queued[0][0]);
    CHECK(now.destination == "b");
    CHECK(now.due == now.arrived);
    CHECK(now.arrived > from_unix(1'600'000'000));
    auto entry = w.entry(delivered.queued[0][1]);
    CHECK(entry.id == delivered.queued[0][1]);
    CHECK(entry.message_id == "ID4");
    CHECK(entry.destination == "relay:example.org");
    CHECK(entry.arrived == now.arrived);
    CHECK(entry.due == from_unix(2'000'000'000));
    CHECK_FALSE(entry.held);
    CHECK(entry.header_prefix == "Received: x\r\n");
    CHECK(entry.record_octets == 4);
    CHECK(entry.state == std::string("state\0of it", 11));
    CHECK(entry.body == now.body);
    CHECK(entry.size() == 17);
  });
}

TEST_CASE("ids ascend in the order of arrival, and the queue is read in that order, page by page") {
  on_both_stores([](QueueWorld& w) {
    std::vector<QueueId> given;
    for (int i = 0; i < 7; ++i) given.push_back(w.enqueue("text"));
    auto pair = w.deliver({onward_item("x", {onward_to("a"), onward_to("b")}), onward_item("y", {onward_to("c")})});
    given.insert(given.end(), {pair.queued[0][0], pair.queued[0][1], pair.queued[1][0]});
    CHECK(std::is_sorted(given.begin(), given.end()));
    CHECK(std::adjacent_find(given.begin(), given.end()) == given.end());
    CHECK(w.ids() == given);
    CHECK(w.ids(0, 4) == std::vector<QueueId>(given.begin(), given.begin() + 4));
    CHECK(w.ids(given[3] + 1, 4) == std::vector<QueueId>(given.begin() + 4, given.begin() + 8));
    CHECK(w.ids(given[8], 4) == std::vector<QueueId>{given[8], given[9]});
    CHECK(w.ids(given[9] + 1, 4).empty());
    CHECK(w.ids(0, 0).empty());
  });
}

TEST_CASE("octets of an entry are its prefix and the record joined, and the record alone is had whole") {
  on_both_stores([](QueueWorld& w) {
    for (std::size_t length : {0U, 40U, 70'000U, 2U << 20}) {
      std::string record;
      for (std::size_t i = 0; i < length; ++i) record.push_back(static_cast<char>('a' + (i * 7 + i / 26) % 26));
      const std::string prefix = "X-One: 1\r\n";
      auto delivered = w.deliver({onward_item(record, {onward_to("a", prefix)})});
      auto entry = w.entry(delivered.queued[0][0]);
      auto flat = prefix + record;
      for (std::size_t offset : {std::size_t{0}, std::size_t{3}, prefix.size(), prefix.size() + 1, flat.size(), flat.size() + 5}) {
        for (std::size_t count : {std::size_t{0}, std::size_t{9}, flat.size(), flat.size() + 100}) {
          auto read = w.run(w.store.read(entry, offset, count));
          REQUIRE(read);
          INFO("offset " << offset << " length " << count << " of " << flat.size());
          CHECK((*read == (offset >= flat.size() ? std::string() : flat.substr(offset, count))));
        }
      }
      auto whole = w.run(w.store.record(entry));
      REQUIRE(whole);
      CHECK((whole->view() == record));
    }
  });
}

TEST_CASE("a copy and the entries of one item share a body, which goes with the last of them") {
  on_both_stores([](QueueWorld& w) {
    for (bool copy_first : {true, false}) {
      auto delivered = w.deliver({onward_item("text", {onward_to("a"), onward_to("b")}, {w.to("INBOX")})});
      auto placed = delivered.placed[0][0];
      auto row = **w.run(w.store.message(placed.mailbox, placed.uid));
      auto first = w.entry(delivered.queued[0][0]);
      auto second = w.entry(delivered.queued[0][1]);
      CHECK(row.body == first.body);
      CHECK(row.body == second.body);
      if (copy_first) REQUIRE(w.run(w.store.erase(placed.mailbox, {placed.uid})).ok());
      REQUIRE(w.deliver({}, {removal(first.id)}).ok());
      CHECK(w.text(second) == "text");
      REQUIRE(w.deliver({}, {removal(second.id)}).ok());
      CHECK(w.has_body(second) == !copy_first);
      if (!copy_first) {
        CHECK(*w.run(w.store.read(row, 0, row.size())) == "text");
        REQUIRE(w.run(w.store.erase(placed.mailbox, {placed.uid})).ok());
      }
      CHECK_FALSE(w.has_body(second));
      CHECK(w.ids().empty());
    }
  });
}

TEST_CASE("an item with neither copies nor entries stores nothing") {
  on_both_stores([](QueueWorld& w) {
    auto delivered = w.deliver({onward_item("text", {}), onward_item("more", {onward_to("a")})});
    REQUIRE(delivered.ok());
    REQUIRE(delivered.queued.size() == 2);
    CHECK(delivered.queued[0].empty());
    CHECK(w.text(w.entry(delivered.queued[1][0])) == "more");
    CHECK(w.ids().size() == 1);
  });
}

TEST_CASE("a change sets what it names and leaves the rest, the operator's hold above all") {
  on_both_stores([](QueueWorld& w) {
    auto id = w.enqueue("text");
    auto before = w.entry(id);
    QueueChange hold;
    hold.id = id;
    hold.held = true;
    QueueChange attempt;
    attempt.id = id;
    attempt.due = from_unix(2'000'000'000);
    attempt.state = "one 4xx";
    REQUIRE(w.deliver({}, {hold}).ok());
    REQUIRE(w.deliver({}, {attempt}).ok());
    auto after = w.entry(id);
    CHECK(after.held);
    CHECK(after.due == from_unix(2'000'000'000));
    CHECK(after.state == "one 4xx");
    CHECK(after.arrived == before.arrived);
    CHECK(after.destination == before.destination);
    CHECK(after.body == before.body);
    CHECK(w.text(after) == "text");
    hold.held = false;
    hold.state = "";
    REQUIRE(w.deliver({}, {hold}).ok());
    CHECK_FALSE(w.entry(id).held);
    CHECK(w.entry(id).state.empty());
    CHECK(w.entry(id).due == from_unix(2'000'000'000));
  });
}

TEST_CASE("an entry that is gone is told and the rest of the delivery is stored") {
  on_both_stores([](QueueWorld& w) {
    auto gone = w.enqueue("text");
    auto other = w.enqueue("other");
    REQUIRE(w.deliver({}, {removal(gone)}).ok());
    QueueChange update;
    update.id = gone;
    update.state = "late";
    auto delivered = w.deliver({onward_item("notice", {onward_to("a")}, {w.to("INBOX")})}, {update, removal(other), removal(77)});
    CHECK(delivered.ok());
    CHECK(delivered.gone == std::vector<QueueId>{gone, 77});
    CHECK(w.ids() == delivered.queued[0]);
    CHECK(w.messages("INBOX") == 1);
    CHECK(w.deliver({}, {removal(other)}).gone == std::vector<QueueId>{other});
  });
}

TEST_CASE("a required entry that is gone refuses the delivery, and nothing of it is stored") {
  on_both_stores([](QueueWorld& w) {
    auto gone = w.enqueue("text");
    auto other = w.enqueue("other");
    REQUIRE(w.deliver({}, {removal(gone)}).ok());
    for (std::size_t size : {std::size_t{10}, std::size_t{2} << 20}) {
      auto notice = onward_item(std::string(size, 'n'), {onward_to("a")}, {w.to("Notices")});
      auto refused = w.deliver({std::move(notice)}, {removal(other), removal(gone, true), removal(77)});
      CHECK(refused.outcome == Outcome::cannot);
      CHECK(refused.gone == std::vector<QueueId>{gone, 77});
      CHECK(refused.text.find(std::to_string(gone)) != std::string::npos);
      CHECK(refused.placed.empty());
      CHECK(refused.queued.empty());
      CHECK(w.ids() == std::vector<QueueId>{other});
      CHECK_FALSE(w.store.mailbox(w.account, "Notices"));
    }
    CHECK(w.deliver({}, {removal(other, true)}).ok());
  });
}

TEST_CASE("of two removals in flight one finds the entry, and both end") {
  on_both_stores([](QueueWorld& w) {
    auto id = w.enqueue("text");
    auto entry = w.entry(id);
    std::vector<io::Task<Delivered>> both;
    for (int i = 0; i < 2; ++i) {
      Delivery delivery;
      delivery.queue.push_back(removal(id));
      both.push_back(w.store.deliver(std::move(delivery)));
    }
    auto ended = w.run(io::together(std::move(both)));
    CHECK(ended[0].ok());
    CHECK(ended[1].ok());
    CHECK(ended[0].gone.size() + ended[1].gone.size() == 1);
    CHECK_FALSE(w.has_body(entry));
  });
}

TEST_CASE("an entry removed twice in one delivery gives up its reference once") {
  on_both_stores([](QueueWorld& w) {
    auto delivered = w.deliver({onward_item("text", {onward_to("a"), onward_to("b")})});
    auto ids = delivered.queued[0];
    REQUIRE(w.deliver({}, {removal(ids[0]), removal(ids[0])}).ok());
    CHECK(w.ids() == std::vector<QueueId>{ids[1]});
    CHECK(w.text(w.entry(ids[1])) == "text");
  });
}

TEST_CASE("a delivery sees the entries that those before it in the same commit made") {
  on_both_stores([](QueueWorld& w) {
    auto id = w.enqueue("text");
    std::vector<io::Task<Delivered>> deliveries;
    Delivery next;
    next.items.push_back(onward_item("next", {onward_to("a")}));
    deliveries.push_back(w.store.deliver(std::move(next)));
    Delivery drain;
    drain.queue = {removal(id), removal(id + 1)};
    deliveries.push_back(w.store.deliver(std::move(drain)));
    auto ended = w.run(io::together(std::move(deliveries)));
    CHECK(ended[0].queued[0][0] == id + 1);
    CHECK(ended[1].gone.empty());
    CHECK(w.ids().empty());
  });
}
