// Disk space of expunged mail comes back while mail goes on.
#include <future>

#include "gateway/io/together.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/queue_world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;
using namespace std::chrono_literals;

namespace {

std::uint64_t octets_on_disk(const Fixture& f) {
  std::uint64_t octets = 0;
  for (const auto& file : std::filesystem::directory_iterator(f.options.directory + "/segments")) {
    std::error_code gone;   // the rewriting unlinks while we look
    auto size = file.file_size(gone);
    if (!gone) octets += size;
  }
  return octets;
}

// Waits for the worker.  One look decides: while files come and go the next may see more.
bool settles(Fixture& f, std::uint64_t below) {
  auto deadline = in(20s);
  while (octets_on_disk(f) >= below) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    f.run(f.store->write({}));
  }
  return true;
}

std::string text_of(int number) { return "message " + std::to_string(number) + std::string(3000, 'm'); }

std::vector<Uid> range(Uid first, Uid last) {
  std::vector<Uid> out;
  for (Uid uid = first; uid <= last; ++uid) out.push_back(uid);
  return out;
}

io::Task<void> erase(Store& store, MailboxId mailbox, std::vector<Uid> uids) {
  auto done = co_await store.erase(mailbox, std::move(uids));
  CHECK(done.ok());
}

io::Task<void> tell(std::promise<void>& promise) {
  promise.set_value();
  co_return;
}

}  // namespace

TEST_CASE("a segment less than half live is rewritten, and its mail reads as before") {
  Fixture f;
  f.options.segment_octets = 64 << 10;
  f.reopen();
  for (int i = 1; i <= 100; ++i) f.put("INBOX", text_of(i));
  auto inbox = f.box("INBOX").id;
  auto early = f.row(inbox, 5);   // read through after its record has moved
  auto before = octets_on_disk(f);
  std::vector<Uid> gone;
  for (Uid uid = 1; uid <= 100; ++uid) {
    if (uid % 5 != 0) gone.push_back(uid);
  }
  REQUIRE(f.run(f.store->erase(inbox, gone)).ok());
  CHECK(settles(f, before / 2));
  CHECK(f.text(early) == text_of(5));
  for (int i = 5; i <= 100; i += 5) CHECK(f.text(inbox, static_cast<Uid>(i)) == text_of(i));
  f.check();
  f.reopen();
  for (int i = 5; i <= 100; i += 5) CHECK(f.text(inbox, static_cast<Uid>(i)) == text_of(i));
  f.check();
}

TEST_CASE("a copy of a segment that is emptied while its rows move takes the rest of them") {
  Plan plan;
  FailingFiles files(plan);
  Fixture f(failing_ground(files, plan));
  Delivery many;
  for (int i = 1; i <= 3000; ++i) many.items.push_back(item_of("message " + std::to_string(i), {f.to("INBOX")}));
  REQUIRE(f.run(f.store->deliver(std::move(many))).ok());
  f.reopen();   // or the segment is still written to
  auto inbox = f.box("INBOX").id;
  REQUIRE(f.run(f.store->erase(inbox, range(1401, 2850))).ok());   // still more than half live
  std::promise<void> first_slice, submitted;
  plan.at_next_rows = [&] {   // the removal below
    plan.at_next_rows = [&] {
      first_slice.set_value();
      submitted.get_future().wait();
    };
  };
  REQUIRE(f.run(f.store->erase(inbox, range(2851, 3000))).ok());
  REQUIRE(first_slice.get_future().wait_for(20s) == std::future_status::ready);
  // All that moved with the first slice, and all that the second would move.
  std::vector<io::Task<void>> both;
  both.push_back(erase(*f.store, inbox, range(1, 500)));
  both.push_back(erase(*f.store, inbox, range(501, 1000)));
  both.push_back(tell(submitted));
  f.run(io::together(std::move(both)));
  f.run(f.store->write({}));   // behind the last slice
  f.check();
  f.reopen();
  CHECK(f.store->state().problem.empty());
  for (Uid uid = 1001; uid <= 1400; ++uid) CHECK(f.text(inbox, uid) == "message " + std::to_string(uid));
  CHECK(octets_on_disk(f) < 1400 * 40);
}

TEST_CASE("a rewriting moves a body that only the queue holds") {
  Fixture f;
  f.options.segment_octets = 64 << 10;
  f.reopen();
  auto w = world_of(f);
  std::vector<QueueId> kept;
  std::vector<QueueChange> removals;
  for (int i = 0; i < 100; ++i) {
    auto id = w.enqueue(text_of(i));
    if (i % 5 == 0) kept.push_back(id);
    else removals.push_back(removal(id));
  }
  auto early = w.entry(kept[1]);   // read through after its record has moved
  auto before = octets_on_disk(f);
  REQUIRE(w.deliver({}, std::move(removals)).ok());
  CHECK(settles(f, before / 2));
  CHECK(w.text(early) == text_of(5));
  f.reopen();
  auto again = world_of(f);
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(again.text(again.entry(kept[i])) == text_of(static_cast<int>(i) * 5));
  f.check();
}

TEST_CASE("a rewriting that the disk refuses at any step loses nothing") {
  for (int step = 0; step < 12; ++step) {
    Plan plan;
    FailingFiles files(plan);
    Fixture f(failing_ground(files, plan));
    f.options.segment_octets = 16 << 10;
    f.reopen();
    for (int i = 1; i <= 20; ++i) f.put("INBOX", text_of(i));
    auto inbox = f.box("INBOX").id;
    plan.arm(step + 1, step % 2 == 0 ? Fault::io_error : Fault::no_space);   // step 0 is the erase itself
    auto erased = f.run(f.store->erase(inbox, {1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14}));
    f.run(f.store->write({}));
    f.store.reset();   // waits for the worker
    plan.disarm();
    f.open();
    INFO("step " << step);
    REQUIRE(erased.ok());
    for (int i : {5, 10, 15, 16, 17, 18, 19, 20}) CHECK(f.text(inbox, static_cast<Uid>(i)) == text_of(i));
    f.check();
  }
}

namespace {

// Twenty messages in sparse segments as soon as most of them are erased.
struct Sparse {
  Plan plan;
  FailingFiles files{plan};
  Fixture f{failing_ground(files, plan)};
  std::uint64_t before = 0;
  Sparse() {
    f.options.segment_octets = 16 << 10;
    f.reopen();
    for (int i = 1; i <= 20; ++i) f.put("INBOX", text_of(i));
    before = octets_on_disk(f);
  }
  // The step behind the erasing itself fails; false: there is no such step any more.
  bool erase_with_fault(int step, Fault fault) {
    plan.arm(step, fault);
    auto erased = f.run(f.store->erase(f.box("INBOX").id, {1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14}));
    REQUIRE(erased.ok());
    auto deadline = in(5s);
    while (!plan.has_fired() && octets_on_disk(f) >= before * 2 / 3 && std::chrono::steady_clock::now() < deadline) f.run(f.store->write({}));
    plan.disarm();
    return plan.has_fired();
  }
};

}  // namespace

TEST_CASE("a segment that could not be rewritten for want of space is rewritten when there is some") {
  Sparse sparse;
  REQUIRE(sparse.erase_with_fault(1, Fault::no_space));
  CHECK(settles(sparse.f, sparse.before * 2 / 3));
  sparse.f.check();
}

TEST_CASE("a segment whose rewriting broke the store is rewritten after the recovery") {
  for (int step = 1;; ++step) {
    Sparse sparse;
    auto& f = sparse.f;
    REQUIRE(sparse.erase_with_fault(step, Fault::io_error));
    f.run(f.store->write({}));   // behind the rewriting's own rows, if those were what failed
    if (f.store->state().writable) continue;
    REQUIRE(f.run(f.store->recover()));
    CHECK(settles(f, sparse.before * 2 / 3));
    f.check();
    break;
  }
}
