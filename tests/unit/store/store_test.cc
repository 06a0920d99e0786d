// The store as its users see it: accounts, mailboxes, delivery, reading.
#include <thread>

#include "gateway/store/names.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

TEST_CASE("an account begins with its mailboxes") {
  Fixture f;
  auto boxes = f.store->mailboxes(f.account);
  REQUIRE(boxes.size() == 9);
  for (auto use : {SpecialUse::inbox, SpecialUse::junk, SpecialUse::quarantine, SpecialUse::sent, SpecialUse::drafts,
                   SpecialUse::trash, SpecialUse::archive}) {
    auto found = f.store->mailbox(f.account, use);
    REQUIRE(found);
    CHECK(found->subscribed);
  }
  for (auto name : {kAlwaysAllow, kAlwaysBlock}) {
    REQUIRE(f.store->mailbox(f.account, name));
    CHECK(f.store->mailbox(f.account, name)->subscribed);
  }
  CHECK(f.store->mailbox(f.account, "inbox")->name == "INBOX");
  CHECK(f.store->account("A@example.test") == std::nullopt);
  f.check();
}

TEST_CASE("an address is given once, in any spelling") {
  Fixture f;
  Account again;
  again.address = "A@Example.Test";
  CHECK(f.run(f.store->create_account(again)).outcome == Outcome::exists);
  again.address = "b@example.test";
  again.groups = {"staff"};
  REQUIRE(f.run(f.store->create_account(again)).ok());
  auto changed = *f.store->account("b@example.test");
  changed.password_row = "secret";
  REQUIRE(f.run(f.store->update_account(changed)).ok());
  changed.address = "a@example.test";
  CHECK(f.run(f.store->update_account(changed)).outcome == Outcome::exists);
  f.reopen();
  CHECK(f.store->account("b@example.test")->password_row == "secret");
  CHECK(f.store->account("b@example.test")->groups == std::vector<std::string>{"staff"});
  CHECK(f.store->accounts().size() == 2);
}

TEST_CASE("a body for two mailboxes is stored once and read with each one's own header") {
  Fixture f;
  auto delivered = f.deliver(item_of("Subject: x\r\n\r\nbody\r\n", {f.to("INBOX", "A: 1\r\n"), f.to("Lists/new", "B: 22\r\n")}));
  REQUIRE(delivered.ok());
  REQUIRE(delivered.placed[0].size() == 2);
  f.reopen();
  auto first = f.row(delivered.placed[0][0].mailbox, delivered.placed[0][0].uid);
  auto second = f.row(delivered.placed[0][1].mailbox, delivered.placed[0][1].uid);
  CHECK(first.body == second.body);
  CHECK(f.text(first) == "A: 1\r\nSubject: x\r\n\r\nbody\r\n");
  CHECK(f.text(second) == "B: 22\r\nSubject: x\r\n\r\nbody\r\n");
  CHECK(first.envelope == "envelope");
  CHECK(first.parts == "parts");
  CHECK(f.box("Lists").messages == 0);
  CHECK(f.box("Lists/new").messages == 1);
  CHECK(f.box("INBOX").octets == first.size());
  f.check();
}

TEST_CASE("a delivery to an account that is not there stores nothing at all") {
  Fixture f;
  auto stray = f.to("INBOX");
  stray.account = 99;
  auto delivered = f.deliver(item_of("x", {f.to("INBOX"), stray}));
  CHECK(delivered.outcome == Outcome::no_mailbox);
  CHECK(f.box("INBOX").messages == 0);
  CHECK(f.box("INBOX").uidnext == 1);
  f.check();
}

TEST_CASE("a second opener is told the pid of the first") {
  Fixture f;
  auto second = Store::open(f.options, f.workers);
  REQUIRE_FALSE(second);
  CHECK(second.error().text.find("process " + std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("every range of prefix and record reads as the flat file does") {
  Fixture f;
  for (std::size_t length : {0U, 1U, 40U, 70'000U}) {
    std::string record;
    for (std::size_t i = 0; i < length; ++i) record.push_back(static_cast<char>('a' + (i * 7 + i / 26) % 26));
    std::string prefix = "X-One: 1\r\nX-Two: 2\r\n";
    auto delivered = f.deliver(item_of(record, {f.to("INBOX", prefix)}));
    auto message = f.row(delivered.placed[0][0].mailbox, delivered.placed[0][0].uid);
    auto flat = prefix + record;
    REQUIRE(message.size() == flat.size());
    std::vector<std::size_t> offsets{0, 1, prefix.size() - 1, prefix.size(), prefix.size() + 1, flat.size() / 2, flat.size(), flat.size() + 5};
    std::vector<std::size_t> lengths{0, 1, 2, prefix.size(), 30, 4096, flat.size(), flat.size() + 100};
    for (auto offset : offsets) {
      for (auto count : lengths) {
        auto read = f.run(f.store->read(message, offset, count));
        REQUIRE(read);
        auto expected = offset >= flat.size() ? std::string() : flat.substr(offset, count);
        INFO("offset " << offset << " length " << count << " of " << flat.size());
        CHECK((*read == expected));
      }
    }
  }
}

TEST_CASE("a body above a mebibyte has a segment of its own that goes with its last message") {
  Fixture f;
  std::string large(3 << 20, 'L');
  auto before = f.store->state().segments;
  Uid uid = f.put("INBOX", large);
  CHECK(f.store->state().segments == before + 1);
  auto inbox = f.box("INBOX").id;
  CHECK((f.text(inbox, uid) == large));
  f.reopen();
  CHECK((f.text(inbox, uid) == large));
  auto erased = f.run(f.store->erase(inbox, {uid}));
  CHECK(erased.uids == std::vector<Uid>{uid});
  CHECK(f.store->state().segments == before);
  std::size_t large_files = 0;
  for (const auto& file : std::filesystem::directory_iterator(f.options.directory + "/segments")) large_files += file.file_size() > (1 << 20) ? 1 : 0;
  CHECK(large_files == 0);
  f.check();
}

TEST_CASE("general rows are written, read, scanned by prefix and erased") {
  Fixture f;
  std::vector<Row> rows;
  rows.push_back({"rule:b", "2"});
  rows.push_back({"rule:a", "1"});
  rows.push_back({"rule:c", "3"});
  rows.push_back({"rules", "other"});
  REQUIRE(f.run(f.store->write(rows)).ok());
  CHECK(f.value("rule:a") == std::optional<std::string>("1"));
  CHECK(f.value("rule:x") == std::nullopt);
  auto found = f.rows("rule:");
  REQUIRE(found.size() == 3);
  CHECK(found[0].key == "rule:a");
  found = f.rows("rule:", "rule:b", 1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].key == "rule:b");
  std::vector<Row> gone;
  gone.push_back({"rule:a", std::nullopt});
  REQUIRE(f.run(f.store->write(gone)).ok());
  f.reopen();
  CHECK(f.rows("rule:").size() == 2);
  std::vector<Row> bad;
  bad.push_back({std::string(2048, 'k'), "v"});
  CHECK(f.run(f.store->write(bad)).outcome == Outcome::cannot);
}

namespace {
io::Task<void> deliver_and_forget(Store& store, Delivery delivery) {
  auto delivered = co_await store.deliver(std::move(delivery));
  FAIL("a cancelled task went on");
}
}  // namespace

TEST_CASE("a delivery whose waiting task is destroyed commits all the same") {
  Fixture f;
  for (std::size_t size : {std::size_t{100}, std::size_t{2} << 20}) {
    auto before = f.box("INBOX").messages;
    Delivery delivery;
    delivery.items.push_back(item_of(std::string(size, 'x'), {f.to("INBOX")}));
    {
      auto task = deliver_and_forget(*f.store, std::move(delivery));
      io::Loop* loop = &f.loop;
      loop->post([&task, loop] {
        auto awaiter = task.operator co_await();
        awaiter.child.resume();   // now it waits
        task = io::Task<void>();
        loop->stop();
      });
      loop->run();
    }
    if (size > (1 << 20)) f.reopen();   // waits for the worker
    f.put("INBOX", "behind it");
    CHECK(f.box("INBOX").messages == before + 2);
  }
  f.check();
}

TEST_CASE("an account has no more mailboxes than subscriptions") {
  Fixture f;
  auto count = f.store->mailboxes(f.account).size();
  // In twenty levels, so that each commit makes many.
  for (std::size_t i = 0; count + 20 <= 10'000; ++i, count += 20) {
    auto name = std::to_string(i);
    for (int depth = 1; depth < 20; ++depth) name += "/a";
    REQUIRE(f.run(f.store->create_mailbox(f.account, name, SpecialUse::none)).ok());
  }
  for (; count < 10'000; ++count) REQUIRE(f.run(f.store->create_mailbox(f.account, "x" + std::to_string(count), SpecialUse::none)).ok());
  CHECK(f.run(f.store->create_mailbox(f.account, "one more", SpecialUse::none)).outcome == Outcome::over_quota);
  CHECK(f.run(f.store->rename_mailbox(f.account, "INBOX", "one more")).outcome == Outcome::over_quota);
  CHECK(f.run(f.store->rename_mailbox(f.account, "0", "new parent/0")).outcome == Outcome::over_quota);
}
