#pragma once

#include "tests/support/memory_store.h"
#include "tests/unit/store/fixture.h"

// Short words for tests of the outgoing queue, of the store on disk and of the one that other tests use.
namespace postern::store::test {

inline Onward onward_to(std::string destination, std::string prefix = "", std::string state = "") {
  Onward onward;
  onward.destination = std::move(destination);
  onward.header_prefix = std::move(prefix);
  onward.state = std::move(state);
  return onward;
}

inline Item onward_item(std::string text, std::vector<Onward> onward, std::vector<Target> targets = {}) {
  auto item = item_of(std::move(text), std::move(targets));
  item.onward = std::move(onward);
  return item;
}

inline QueueChange removal(QueueId id, bool required = false) {
  QueueChange change;
  change.id = id;
  change.remove = true;
  change.required = required;
  return change;
}

struct QueueWorld {
  io::Loop& loop;
  Store& store;
  AccountId account = 0;

  template <class T>
  T run(io::Task<T> task) {
    return loop.block_on(std::move(task));
  }
  Delivered deliver(std::vector<Item> items, std::vector<QueueChange> changes = {}) {
    Delivery delivery;
    delivery.items = std::move(items);
    delivery.queue = std::move(changes);
    return run(store.deliver(std::move(delivery)));
  }
  QueueId enqueue(std::string text, std::string destination = "example.org") {
    auto delivered = deliver({onward_item(std::move(text), {onward_to(std::move(destination))})});
    REQUIRE(delivered.ok());
    return delivered.queued.at(0).at(0);
  }
  Target to(std::string mailbox) {
    Target target;
    target.account = account;
    target.mailbox = std::move(mailbox);
    return target;
  }
  std::vector<QueueEntry> page(QueueId from, std::size_t limit) {
    auto found = run(store.queue(from, limit));
    if (!found) FAIL(found.error().text);
    return *found;
  }
  std::vector<QueueId> ids(QueueId from = 0, std::size_t limit = 1'000'000) {
    std::vector<QueueId> all;
    for (const auto& entry : page(from, limit)) all.push_back(entry.id);
    return all;
  }
  std::optional<QueueEntry> find(QueueId id) {
    auto found = run(store.queue_entry(id));
    if (!found) FAIL(found.error().text);
    return *found;
  }
  QueueEntry entry(QueueId id) {
    auto found = find(id);
    REQUIRE(found);
    return *found;
  }
  std::string text(const QueueEntry& entry) {
    auto read = run(store.read(entry, 0, entry.size()));
    if (!read) FAIL(read.error().text);
    return *read;
  }
  bool has_body(const QueueEntry& entry) { return run(store.record(entry)).has_value(); }
  std::uint64_t messages(std::string_view mailbox) { return store.mailbox(account, mailbox)->messages; }
};

inline QueueWorld world_of(Fixture& f) { return {f.loop, *f.store, f.account}; }

template <class Check>
void on_both_stores(Check check) {
  SECTION("on disk") {
    Fixture f;
    auto world = world_of(f);
    check(world);
    f.check();
  }
  SECTION("in memory") {
    io::Loop loop;
    postern::test::MemoryStore store;
    QueueWorld world{loop, store, store.add_account("a@example.test")};
    check(world);
  }
}

}  // namespace postern::store::test
