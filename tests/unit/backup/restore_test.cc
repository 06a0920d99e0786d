// A whole store comes back: what was in it, under new UIDVALIDITYs, its queue held; or nothing of it that could be opened.
#include "tests/unit/backup/world.h"
#include "tests/unit/store/queue_world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::backup;
using namespace postern::backup::test;
using postern::store::test::FailingFiles;
using postern::store::test::Fault;
using postern::store::test::Plan;
using postern::store::test::world_of;

namespace {

// Ten messages, three entries of the queue, a general row; then a backup of it, then more mail.
struct Restorable {
  Fixture f;
  std::string directory = f.folder.path + "/backups";
  std::string data = f.folder.path + "/data";
  std::map<std::string, std::uint32_t> validities;

  Restorable() {
    for (int i = 0; i < 10; ++i) f.put("INBOX", text_of(i), flag::seen);
    auto w = world_of(f);
    for (int i = 0; i < 3; ++i) w.enqueue(text_of(20 + i));
    Row row;
    row.key = "rule:count";
    row.value = "7";
    REQUIRE(f.run(f.store->write({row})).ok());
    for (const auto& box : f.store->mailboxes(f.account)) validities[box.name] = box.uidvalidity;
    must_back_up(f, directory);
    f.put("INBOX", text_of(10));
    fs::create_directory(data);
  }
  std::vector<QueueEntry> queue() {
    auto all = f.run(f.store->queue(0, 100));
    REQUIRE(all);
    return *all;
  }
  void check_mail() {
    f.check();
    auto inbox = f.box("INBOX").id;
    REQUIRE(f.uids(inbox).size() == 10);
    for (int i = 0; i < 10; ++i) {
      auto row = f.row(inbox, static_cast<Uid>(i + 1));
      CHECK(f.text(row) == text_of(i));
      CHECK(row.flags.system == flag::seen);
    }
    CHECK(f.value("rule:count") == "7");
    CHECK(queue().size() == 3);
  }
};

}  // namespace

TEST_CASE("a restored store holds everything, under other UIDVALIDITYs, and its queue waits for the operator") {
  Restorable r;
  auto whole = restored(r.directory, r.data);
  if (!whole) FAIL(whole.error().text);
  CHECK(whole->messages == 10);
  CHECK(whole->accounts == 1);
  CHECK(whole->queued == 3);
  CHECK(whole->held == 3);
  change_to(r.f, r.data);
  r.check_mail();
  CHECK(r.f.store->state().problem.empty());
  for (const auto& entry : r.queue()) CHECK(entry.held);
  std::set<std::uint32_t> different;
  for (const auto& box : r.f.store->mailboxes(r.f.account)) {
    CHECK(box.uidvalidity > r.validities[box.name]);
    different.insert(box.uidvalidity);
  }
  CHECK(different.size() == r.validities.size());
  auto made = r.f.run(r.f.store->create_mailbox(r.f.account, "new", SpecialUse::none));
  REQUIRE(made.ok());
  CHECK(made.mailbox.uidvalidity > *different.rbegin());
  CHECK_FALSE(fs::exists(r.data + "/restoring"));
  // The backup is none of its files' concern.
  r.f.put("INBOX", text_of(50));
  CHECK(verified(r.directory).empty());
}

TEST_CASE("who says so gets the queue as it was, and the UIDVALIDITYs") {
  Restorable r;
  WholeOptions options;
  options.send_queue = options.keep_uids = true;
  auto whole = restored(r.directory, r.data, options);
  REQUIRE(whole);
  CHECK(whole->held == 0);
  change_to(r.f, r.data);
  r.check_mail();
  for (const auto& entry : r.queue()) CHECK_FALSE(entry.held);
  for (const auto& box : r.f.store->mailboxes(r.f.account)) CHECK(box.uidvalidity == r.validities[box.name]);
}

TEST_CASE("a folder that is not empty is not restored into") {
  Restorable r;
  auto into_itself = restored(r.directory, r.f.options.directory);
  REQUIRE_FALSE(into_itself);
  CHECK(into_itself.error().text.find("is not empty") != std::string::npos);
  std::ofstream(r.data + "/letter") << "dear";
  auto whole = restored(r.directory, r.data);
  REQUIRE_FALSE(whole);
  CHECK(contents(r.data).size() == 1);
}

TEST_CASE("a damaged file is found while it is restored, and no store comes of it") {
  Restorable r;
  auto segment = fs::directory_iterator(r.directory + "/segments")->path();
  flip(segment, fs::file_size(segment) / 2);
  auto whole = restored(r.directory, r.data);
  REQUIRE_FALSE(whole);
  CHECK(whole.error().text.find("is damaged") != std::string::npos);
  auto options = r.f.options;
  options.directory = r.data;
  CHECK_FALSE(open_on(options, r.f.workers, {}));
  flip(segment, fs::file_size(segment) / 2);
  REQUIRE(restored(r.directory, r.data));
  change_to(r.f, r.data);
  r.check_mail();
}

TEST_CASE("a restore that the disk ends at any step is begun again, and until it is whole there is no store") {
  for (auto fault : {Fault::io_error, Fault::no_space}) {
    for (int step = 0;; ++step) {
      Restorable r;
      Plan plan;
      FailingFiles files(plan);
      plan.arm(step, fault);
      auto whole = restored(r.directory, r.data, {}, "", files);
      plan.disarm();
      INFO("step " << step);
      bool fired = plan.has_fired();
      if (fired) {
        REQUIRE_FALSE(whole);
        auto options = r.f.options;
        options.directory = r.data;
        auto opened = open_on(options, r.f.workers, {});
        bool nothing_begun = !fs::exists(r.data + "/restoring");
        // At most its very last step failed: all was in place already, or nothing was.
        if (!opened) CHECK(opened.error().text.find("was interrupted") != std::string::npos);
        else CHECK(nothing_begun);
        if (opened) {
          *opened = nullptr;
          if (!fs::exists(r.data + "/segments") || fs::is_empty(r.data + "/segments")) {
            fs::remove_all(r.data);
            fs::create_directory(r.data);
            REQUIRE(restored(r.directory, r.data));
          }
        } else {
          REQUIRE(restored(r.directory, r.data));
        }
      }
      change_to(r.f, r.data);
      r.check_mail();
      if (!fired) {
        CHECK(step > 15);
        break;
      }
    }
  }
}
