// The disk says no at every single step: what was acknowledged is there, what was not is there whole
// or not at all.
#include <fstream>
#include <map>
#include <semaphore>

#include "gateway/io/together.h"
#include "gateway/store/body_store.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

struct Faulty {
  Plan plan;
  FailingFiles files{plan};
  Fixture f{failing_ground(files, plan)};
};

// A message for two mailboxes; whether it was acknowledged.
bool deliver_pair(Fixture& f, const std::string& text) {
  return f.deliver(item_of(text, {f.to("INBOX", "P: 1\r\n"), f.to("Archive")})).ok();
}

std::map<std::string, int> texts_in(Fixture& f, std::string_view mailbox) {
  std::map<std::string, int> found;
  auto box = f.box(mailbox);
  for (auto uid : f.uids(box.id)) {
    auto text = f.text(box.id, uid);
    ++found[text.starts_with("P: 1\r\n") ? text.substr(6) : text];
  }
  return found;
}

// Does one of everything and notes what was acknowledged.
void work(Fixture& f, std::map<std::string, bool>& acknowledged, std::vector<Outcome>& outcomes) {
  for (const char* text : {"first", "second", "third"}) acknowledged[text] = deliver_pair(f, text);
  std::string large((1 << 20) + 5, 'L');
  acknowledged[large] = deliver_pair(f, large);
  auto inbox = f.box("INBOX").id;
  Flags flags;
  flags.system = flag::seen;
  outcomes.push_back(f.run(f.store->change_flags(inbox, {1, 2}, FlagOperation::add, flags, {})).outcome);
  outcomes.push_back(f.run(f.store->copy(inbox, {1}, f.box("Sent").id)).outcome);
  outcomes.push_back(f.run(f.store->move(f.box("Sent").id, {1}, f.box("Trash").id)).outcome);
  acknowledged["fourth"] = deliver_pair(f, "fourth");
}

void verify_after(Fixture& f, const std::map<std::string, bool>& acknowledged) {
  f.check();
  auto inbox = texts_in(f, "INBOX");
  auto archive = texts_in(f, "Archive");
  for (const auto& [text, acked] : acknowledged) {
    INFO(text.substr(0, 20));
    if (acked) CHECK(inbox[text] == 1);
    CHECK(inbox[text] <= 1);
    CHECK(inbox[text] == archive[text]);   // both or none
  }
}

}  // namespace

TEST_CASE("whichever step of the disk fails, acknowledged mail is there after reopening and the rest is whole or absent") {
  for (auto fault : {Fault::io_error, Fault::no_space, Fault::short_write, Fault::lost_answer}) {
    for (int step = 0;; ++step) {
      Faulty faulty;
      auto& f = faulty.f;
      INFO("fault " << static_cast<int>(fault) << " at step " << step);
      std::map<std::string, bool> acknowledged;
      std::vector<Outcome> outcomes;
      faulty.plan.arm(step, fault);
      work(f, acknowledged, outcomes);
      bool fired = faulty.plan.fired;
      faulty.plan.disarm();
      CHECK(faulty.plan.syncs_after_failed_sync == 0);
      if (fault == Fault::short_write) {
        for (const auto& [text, acked] : acknowledged) CHECK(acked);
      }
      if (!f.store->state().writable) {
        // Reads go on while it takes no more changes.
        for (const auto& [text, acked] : acknowledged) {
          if (acked) CHECK(texts_in(f, "INBOX")[text] == 1);
        }
        CHECK(f.deliver(item_of("x", {f.to("INBOX")})).outcome == Outcome::broken);
        CHECK_FALSE(f.store->state().problem.empty());
        if (step % 2 == 0) {
          CHECK(f.run(f.store->recover()));
          CHECK(f.store->state().writable);
          verify_after(f, acknowledged);
          CHECK(deliver_pair(f, "after recovery"));
        }
      }
      f.reopen();
      verify_after(f, acknowledged);
      CHECK(deliver_pair(f, "afterwards"));
      if (!fired) break;
      REQUIRE(step < 200);
    }
  }
}

TEST_CASE("a full disk refuses what grows before anything is half done, and mail can still be read and expunged") {
  Faulty faulty;
  auto& f = faulty.f;
  f.options.low_space_octets = 1 << 20;
  f.reopen();
  Uid uid = f.put("INBOX", "text");
  auto inbox = f.box("INBOX").id;
  faulty.plan.free = 1 << 10;
  f.reopen();   // an open store looks again only after a while
  CHECK(f.deliver(item_of("x", {f.to("INBOX")})).outcome == Outcome::no_space);
  CHECK(f.run(f.store->copy(inbox, {uid}, inbox)).outcome == Outcome::no_space);
  CHECK(f.store->state().writable);
  CHECK(f.text(inbox, uid) == "text");
  CHECK(f.run(f.store->erase(inbox, {uid})).ok());
  faulty.plan.free = 1ULL << 40;
  CHECK(f.put("INBOX", "again") == uid + 1);
}

namespace {
// The next write of rows fails.
void break_rows(Faulty& faulty) {
  faulty.plan.arm(0, Fault::io_error);
  std::vector<Row> rows;
  rows.push_back({"test:row", "x"});
  CHECK(faulty.f.run(faulty.f.store->write(std::move(rows))).outcome == Outcome::broken);
  faulty.plan.disarm();
  REQUIRE_FALSE(faulty.f.store->state().writable);
}
}  // namespace

TEST_CASE("a recovery that fails leaves everything readable, and the next one can succeed") {
  Faulty faulty;
  auto& f = faulty.f;
  Uid uid = f.put("INBOX", "text");
  auto inbox = f.box("INBOX").id;
  break_rows(faulty);
  faulty.plan.refuse_opening = true;
  for (int again = 0; again < 2; ++again) {
    CHECK_FALSE(f.run(f.store->recover()));
    CHECK(f.text(inbox, uid) == "text");
    CHECK(f.uids(inbox) == std::vector<Uid>{uid});
    auto watch = f.watch(inbox);
    REQUIRE(watch);
    CHECK(watch->latest()->size() == 1);
    CHECK(f.deliver(item_of("x", {f.to("INBOX")})).outcome == Outcome::broken);
  }
  faulty.plan.refuse_opening = false;
  CHECK(f.run(f.store->recover()));
  CHECK(f.put("INBOX", "again") == uid + 1);
  f.check();
}

TEST_CASE("a recovery that cannot read all rows forgets no account and no mailbox") {
  for (char letter : {'a', 'u', 'w', 'x', 's', 'd'}) {
    Faulty faulty;
    auto& f = faulty.f;
    Uid uid = f.put("INBOX", "text");
    break_rows(faulty);
    faulty.plan.bad_rows = letter;
    INFO("rows " << letter);
    CHECK_FALSE(f.run(f.store->recover()));
    CHECK(f.store->account("a@example.test"));
    CHECK(f.store->mailboxes(f.account).size() == 9);
    CHECK(f.store->state().segments == 1);
    faulty.plan.bad_rows = '\0';
    CHECK(f.text(f.box("INBOX").id, uid) == "text");
    CHECK(f.run(f.store->recover()));
    CHECK(f.put("INBOX", "again") == uid + 1);
    f.check();
  }
}

TEST_CASE("while the disk is nearly full the rows stay open as they are") {
  Faulty faulty;
  auto& f = faulty.f;
  f.options.low_space_octets = 1 << 20;
  f.reopen();
  Uid uid = f.put("INBOX", "text");
  break_rows(faulty);
  faulty.plan.free = 1 << 10;
  CHECK_FALSE(f.run(f.store->recover()));
  CHECK(faulty.plan.reopenings == 0);
  CHECK(f.text(f.box("INBOX").id, uid) == "text");
  faulty.plan.free = 1ULL << 40;
  CHECK(f.run(f.store->recover()));
  CHECK(faulty.plan.reopenings == 1);
}

TEST_CASE("a watched mailbox shows after a recovery what was durable though its write failed") {
  Faulty faulty;
  auto& f = faulty.f;
  Uid uid = f.put("INBOX", "first");
  auto inbox = f.box("INBOX").id;
  auto watch = f.watch(inbox);
  faulty.plan.arm(0, Fault::lost_answer);
  CHECK(f.run(f.store->copy(inbox, {uid}, inbox)).outcome == Outcome::broken);
  faulty.plan.disarm();
  CHECK(watch->latest()->size() == 1);
  CHECK(f.run(f.store->recover()));
  REQUIRE(f.uids(inbox).size() == 2);
  CHECK(watch->latest()->size() == 2);
  f.put("INBOX", "third");
  CHECK(watch->latest()->size() == 3);
  CHECK(watch->latest()->info().messages == 3);
}

TEST_CASE("rows on a bad sector are an error, never an empty answer") {
  Faulty faulty;
  auto& f = faulty.f;
  Uid uid = f.put("INBOX", "text");
  auto inbox = f.box("INBOX").id;
  std::vector<Row> rows;
  rows.push_back({"rule:a", "1"});
  REQUIRE(f.run(f.store->write(std::move(rows))).ok());
  for (char letter : {'x', 'i', 'm'}) {
    faulty.plan.bad_rows = letter;
    INFO("rows " << letter);
    CHECK_FALSE(f.run(f.store->message(inbox, uid)));
    CHECK_FALSE(f.run(f.store->messages(inbox, 1, 10, 10)));
    if (letter != 'm') CHECK_FALSE(f.run(f.store->watch(inbox)));   // the index knows nothing of them
  }
  faulty.plan.bad_rows = 'g';
  CHECK_FALSE(f.run(f.store->get("rule:a")));
  CHECK_FALSE(f.run(f.store->scan("rule:", "", 10)));
  faulty.plan.bad_rows = '\0';
  CHECK(f.text(inbox, uid) == "text");
  CHECK(f.value("rule:a") == std::optional<std::string>("1"));
}

TEST_CASE("a damaged row of a message is an error, never a message that is gone") {
  Faulty faulty;
  auto& f = faulty.f;
  Uid uid = f.put("INBOX", "text");
  auto inbox = f.box("INBOX").id;
  f.store.reset();
  {
    auto kv = open_rocks_kv(f.options.directory + "/rows", KvOpening::existing);
    KvBatch batch;
    batch.put(message_key(inbox, uid), "not ours");
    REQUIRE((*kv)->write(batch));
  }
  f.open();
  CHECK_FALSE(f.run(f.store->message(inbox, uid)));
  CHECK_FALSE(f.run(f.store->messages(inbox, 1, 10, 10)));
}

namespace {
std::size_t large_files(Fixture& f) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(f.options.directory + "/segments")) count += file.file_size() > (1 << 20) ? 1 : 0;
  return count;
}

Delivered deliver_two_large(Fixture& f) {
  Delivery delivery;
  for (char c : {'a', 'b'}) delivery.items.push_back(item_of(std::string((1 << 20) + 100, c), {f.to("INBOX")}));
  return f.run(f.store->deliver(std::move(delivery)));
}
}  // namespace

TEST_CASE("a large body that no row can name leaves no file behind") {
  for (int step = 0;; ++step) {
    Faulty faulty;
    auto& f = faulty.f;
    INFO("step " << step);
    faulty.plan.arm(step, Fault::io_error);
    auto delivered = deliver_two_large(f);
    bool fired = faulty.plan.fired;
    faulty.plan.disarm();
    if (!fired) break;
    CHECK(delivered.outcome == Outcome::broken);
    bool rows_failed = !f.store->state().writable;
    CHECK(large_files(f) == (rows_failed ? 2 : 0));
    if (!rows_failed) continue;
    faulty.plan.arm(-1, Fault::none);
    CHECK(deliver_two_large(f).outcome == Outcome::broken);
    CHECK(faulty.plan.steps == 0);   // refused before anything is written
    faulty.plan.disarm();
    CHECK(large_files(f) == 2);
    CHECK(f.run(f.store->recover()));
    CHECK(deliver_two_large(f).ok());
    f.reopen();
    CHECK(large_files(f) == 2);
    f.check();
  }
}

TEST_CASE("a large body may not use up the space that is kept free") {
  Faulty faulty;
  auto& f = faulty.f;
  f.options.low_space_octets = 1 << 20;
  f.reopen();
  faulty.plan.free = (1 << 20) + (2 << 20);
  CHECK(f.deliver(item_of(std::string(3 << 20, 'x'), {f.to("INBOX")})).outcome == Outcome::no_space);
  CHECK(large_files(f) == 0);
  CHECK(f.deliver(item_of(std::string((1 << 20) + 1, 'x'), {f.to("INBOX")})).ok());
}

TEST_CASE("a quota that is used up is a full disk, for small bodies and for large ones") {
  for (std::size_t size : {std::size_t{10}, std::size_t{2} << 20}) {
    Faulty faulty;
    auto& f = faulty.f;
    f.put("INBOX", "the segment is begun");
    faulty.plan.arm(1, Fault::no_quota);   // of a large one: not the making of its file but the writing
    CHECK(f.deliver(item_of(std::string(size, 'x'), {f.to("INBOX")})).outcome == Outcome::no_space);
    CHECK(faulty.plan.fired);
    CHECK(f.store->state().writable);
  }
}

namespace {

// Delivers when the first slice of the copy is being written, so that both are in the next group.
io::Task<Outcome> deliver_behind_slice(Fixture& f, std::binary_semaphore& writing, std::binary_semaphore& queued) {
  writing.acquire();
  f.loop.post([&queued] { queued.release(); });
  Delivery delivery;
  delivery.items.push_back(item_of(std::string(1000, 'x'), {f.to("INBOX")}));
  auto delivered = co_await f.store->deliver(std::move(delivery));
  co_return delivered.outcome;
}

io::Task<Outcome> copy_all(Fixture& f, MailboxId from, std::vector<Uid> uids, MailboxId to) {
  auto copied = co_await f.store->copy(from, std::move(uids), to);
  co_return copied.outcome;
}

// INBOX with `count` messages.
std::vector<Uid> fill_inbox(Fixture& f, std::size_t count) {
  REQUIRE(f.deliver(item_of("text", std::vector<Target>(count, f.to("INBOX")))).ok());
  return f.uids(f.box("INBOX").id);
}

}  // namespace

TEST_CASE("a COPY of many slices is refused before the first of them or not at all") {
  Faulty faulty;
  auto& f = faulty.f;
  f.options.low_space_octets = 1 << 20;
  f.reopen();
  auto uids = fill_inbox(f, 1200);
  auto inbox = f.box("INBOX").id;
  auto archive = f.box("Archive").id;
  faulty.plan.free = (1 << 20) + 1200 * 1024;
  f.reopen();   // an open store looks again only after a while
  CHECK(f.run(f.store->copy(inbox, uids, archive)).outcome == Outcome::no_space);   // there would be space for a slice
  CHECK(f.box("Archive").messages == 0);

  faulty.plan.free = (1 << 20) + 1200 * 2048;   // all of it is spoken for: the delivery makes the store look again
  f.reopen();
  std::binary_semaphore writing(0), queued(0);
  faulty.plan.at_next_rows = [&] {
    faulty.plan.free = 0;
    writing.release();
    queued.acquire();
  };
  std::vector<io::Task<Outcome>> tasks;
  tasks.push_back(copy_all(f, inbox, uids, archive));
  tasks.push_back(deliver_behind_slice(f, writing, queued));
  auto outcomes = f.run(io::together(std::move(tasks)));
  CHECK(outcomes[0] == Outcome::done);
  CHECK(outcomes[1] == Outcome::no_space);
  CHECK(f.box("Archive").messages == 1200);
}

TEST_CASE("ENOSPC in the middle of a group refuses what grows and lets the other changes pass") {
  Faulty faulty;
  auto& f = faulty.f;
  Uid uid = f.put("INBOX", "text");
  auto inbox = f.box("INBOX").id;
  faulty.plan.arm(0, Fault::no_space);
  CHECK(f.deliver(item_of("x", {f.to("INBOX")})).outcome == Outcome::no_space);
  faulty.plan.disarm();
  CHECK(f.store->state().writable);
  CHECK(f.put("INBOX", "next") == uid + 1);
  CHECK(f.text(inbox, uid + 1) == "next");
  f.reopen();
  CHECK(f.text(inbox, uid + 1) == "next");
  f.check();
}

namespace {
std::string segment_of(Fixture& f) {
  std::string name;
  for (const auto& file : std::filesystem::directory_iterator(f.options.directory + "/segments")) name = file.path().string();
  return name;
}

void spoil(const std::string& segment, std::uint64_t at) {
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put('X');
}
}  // namespace

TEST_CASE("a torn tail behind what the rows name is cut at the start") {
  Fixture f;
  Uid uid = f.put("INBOX", "kept");
  auto segment = segment_of(f);
  f.store.reset();
  auto size = std::filesystem::file_size(segment);
  std::ofstream(segment, std::ios::app) << "PTB2 half a record";
  std::ofstream(f.options.directory + "/segments/00000000000000ff.seg") << "never acknowledged";
  f.open();
  CHECK(std::filesystem::file_size(segment) == size);
  CHECK_FALSE(std::filesystem::exists(f.options.directory + "/segments/00000000000000ff.seg"));
  CHECK(f.text(f.box("INBOX").id, uid) == "kept");
  CHECK(f.store->state().problem.empty());
  f.check();
}

TEST_CASE("a damaged record is reported and everything else stays readable") {
  Fixture f;
  Uid one = f.put("INBOX", "first message");
  Uid two = f.put("INBOX", "second message");
  auto segment = segment_of(f);
  f.store.reset();
  spoil(segment, kSegmentHeader + kRecordHeader + 3);
  f.open();
  auto inbox = f.box("INBOX").id;
  auto damaged = f.row(inbox, one);
  auto read = f.run(f.store->read(damaged, 0, damaged.size()));
  REQUIRE_FALSE(read);
  CHECK(read.error().text.find("wrong checksum") != std::string::npos);
  CHECK(f.text(inbox, two) == "second message");
  auto mistakes = f.store->verify();
  REQUIRE(mistakes.size() == 1);
  CHECK(mistakes[0].find("wrong checksum") != std::string::npos);
}

TEST_CASE("damage is found in whatever part of a message is read: the whole, a piece, the header alone") {
  const std::string header = "Subject: x\r\nTo: y\r\n\r\n";
  const std::string body = "the text of the message";
  const struct {
    std::uint64_t at;       // what is spoilt
    bool whole, piece, head;   // what can still be read
  } cases[] = {{4, false, false, false}, {header.size() + 2, false, false, true}};
  for (const auto& given : cases) {
    Fixture f;
    Uid uid = f.put("INBOX", header + body);
    auto segment = segment_of(f);
    f.store.reset();
    spoil(segment, kSegmentHeader + kRecordHeader + given.at);
    f.open();
    auto row = f.row(f.box("INBOX").id, uid);
    INFO("octet " << given.at);
    CHECK(bool(f.run(f.store->read(row, 0, row.size()))) == given.whole);
    CHECK(bool(f.run(f.store->read(row, 3, 5))) == given.piece);
    CHECK(bool(f.run(f.store->read(row, 0, 5))) == given.piece);
    auto head = f.run(f.store->read(row, 0, header.size()));
    REQUIRE(bool(head) == given.head);
    if (head) CHECK(*head == header);
  }
}

TEST_CASE("any part of a message is read as it was written, header or not") {
  const std::string texts[] = {"\r\nno header", "Subject: x\r\n\r\n", "Subject: no end", "A: b\r\n\r\nC: d\r\n\r\ntext",
                               "A: " + std::string(70'000, 'a') + "\r\n\r\ntext", "A: b\r\n\r\n" + std::string(100'000, 't')};
  Fixture f;
  for (const auto& text : texts) {
    auto row = f.row(f.box("INBOX").id, f.put("INBOX", text));
    for (std::size_t from : {std::size_t{0}, std::size_t{1}, text.size() / 2, text.size()}) {
      for (std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{8}, text.find("\r\n\r\n") + 4, text.size()}) {
        auto read = f.run(f.store->read(row, from, length));
        REQUIRE(read);
        CHECK(*read == text.substr(from, length));
      }
    }
  }
  f.check();
}

TEST_CASE("a segment cut short or missing is told at the start and in the state") {
  for (bool missing : {false, true}) {
    Fixture f;
    Uid uid = f.put("INBOX", "text");
    auto segment = segment_of(f);
    f.store.reset();
    if (missing) std::filesystem::remove(segment);
    else std::filesystem::resize_file(segment, 30);
    f.open();
    CHECK(f.store->state().problem.find(".seg") != std::string::npos);
    auto row = f.row(f.box("INBOX").id, uid);
    CHECK_FALSE(f.run(f.store->read(row, 0, 10)));
    CHECK(f.put("INBOX", "goes on") == uid + 1);
    CHECK(f.text(f.box("INBOX").id, uid + 1) == "goes on");
  }
}

TEST_CASE("bodies without rows are somebody's mail: the store does not open over them") {
  Fixture f;
  f.put("INBOX", "text");
  f.store.reset();
  std::filesystem::remove_all(f.options.directory + "/rows");
  auto opened = Store::open(f.options, f.workers);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("no rows") != std::string::npos);
}

TEST_CASE("a store of another format is not opened") {
  Fixture f;
  f.store.reset();
  {
    auto kv = open_rocks_kv(f.options.directory + "/rows", KvOpening::existing);
    KvBatch batch;
    batch.put("#format", "postern store 9");
    REQUIRE((*kv)->write(batch));
  }
  auto opened = Store::open(f.options, f.workers);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("postern store 9") != std::string::npos);
}
