#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/open.h"
#include "gateway/store/store.h"
#include "tests/support/catch.h"

// A store in a folder of its own, with one account a@example.test.
namespace postern::store::test {

struct Folder {
  Folder() {
    // In memory where there is such a place: these tests make hundreds of stores and prove no disk.
    bool memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "postern_store_XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  std::string path;
};

inline Item item_of(std::string text, std::vector<Target> targets) {
  Item item;
  item.id = "ID" + std::to_string(text.size());
  item.pieces.emplace_back(std::move(text));
  item.envelope = "envelope";
  item.parts = "parts";
  item.targets = std::move(targets);
  return item;
}

struct Fixture {
  Folder folder;
  io::Loop loop;
  io::WorkerPool workers{2};
  StoreOptions options;
  Ground ground;
  std::unique_ptr<Store> store;
  AccountId account = 0;

  explicit Fixture(Ground on = {}) : ground(std::move(on)) {
    options.directory = folder.path + "/store";
    options.low_space_octets = 0;
    open();
    Account user;
    user.address = "a@example.test";
    REQUIRE(run(store->create_account(std::move(user))).ok());
    account = store->account("a@example.test")->id;
  }

  void open() {
    auto opened = open_on(options, workers, ground);
    if (!opened) FAIL(opened.error().text);
    store = std::move(*opened);
  }
  void reopen() {
    store.reset();
    open();
  }
  template <class T>
  T run(io::Task<T> task) {
    return loop.block_on(std::move(task));
  }

  MailboxInfo box(std::string_view name) {
    auto found = store->mailbox(account, name);
    REQUIRE(found);
    return *found;
  }
  Target to(std::string mailbox, std::string prefix = "") {
    Target target;
    target.account = account;
    target.mailbox = std::move(mailbox);
    target.header_prefix = std::move(prefix);
    return target;
  }
  Delivered deliver(Item item) {
    Delivery delivery;
    delivery.items.push_back(std::move(item));
    return run(store->deliver(std::move(delivery)));
  }
  Uid put(std::string mailbox, std::string text, std::uint8_t flags = 0) {
    auto target = to(std::move(mailbox));
    target.flags.system = flags;
    auto delivered = deliver(item_of(std::move(text), {target}));
    REQUIRE(delivered.ok());
    return delivered.placed[0][0].uid;
  }
  MessageRow row(MailboxId mailbox, Uid uid) {
    auto found = run(store->message(mailbox, uid));
    REQUIRE(found);
    REQUIRE(*found);
    return **found;
  }
  std::string text(const MessageRow& message) {
    auto read = run(store->read(message, 0, message.size()));
    REQUIRE(read);
    return *read;
  }
  std::string text(MailboxId mailbox, Uid uid) { return text(row(mailbox, uid)); }
  std::vector<Uid> uids(MailboxId mailbox) {
    std::vector<Uid> all;
    auto rows = run(store->messages(mailbox, 1, 0xffffffff, 1'000'000));
    REQUIRE(rows);
    for (const auto& one : *rows) all.push_back(one.uid);
    return all;
  }
  // Null: no such mailbox.
  std::unique_ptr<MailboxWatch> watch(MailboxId mailbox) {
    auto made = run(store->watch(mailbox));
    REQUIRE(made);
    return *std::move(made);
  }
  std::optional<std::string> value(std::string key) {
    auto found = run(store->get(std::move(key)));
    REQUIRE(found);
    return *found;
  }
  std::vector<Row> rows(std::string prefix, std::string from = "", std::size_t limit = 100'000) {
    auto found = run(store->scan(std::move(prefix), std::move(from), limit));
    REQUIRE(found);
    return *found;
  }
  // Every row and record agrees with every other.
  void check() {
    auto mistakes = store->verify();
    for (const auto& mistake : mistakes) UNSCOPED_INFO(mistake);
    CHECK(mistakes.empty());
  }
};

}  // namespace postern::store::test
