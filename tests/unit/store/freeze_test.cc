// The store at one moment, for a backup: what it holds, that it stays, and that a failing disk costs the store nothing.
#include <fstream>
#include <iterator>

#include "gateway/store/frozen.h"
#include "gateway/store/rows.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

std::unique_ptr<Frozen> frozen(Fixture& f) {
  auto made = f.run(freeze(*f.store));
  if (!made) FAIL(made.error().text);
  return std::move(*made);
}

// Copies as a backup does: rows whole, of each segment what belongs to it.
void copy(const Frozen& from, const std::string& to) {
  namespace fs = std::filesystem;
  fs::create_directories(to + "/segments");
  fs::copy(from.rows, to + "/rows");
  for (const auto& segment : from.segments) {
    auto name = to + "/segments/" + fs::path(segment.path).filename().string();
    fs::copy(segment.path, name);
    REQUIRE(fs::file_size(name) >= segment.octets);
    fs::resize_file(name, segment.octets);
  }
}

std::string text_of(int number) { return "message " + std::to_string(number) + std::string(3000, 'm'); }

}  // namespace

TEST_CASE("a frozen store holds what was committed before it and nothing that came after") {
  Fixture f;
  for (int i = 0; i < 20; ++i) f.put("INBOX", text_of(i));
  auto still = frozen(f);
  for (int i = 20; i < 40; ++i) f.put("INBOX", text_of(i));
  copy(*still, f.folder.path + "/copy");
  still.reset();
  CHECK_FALSE(std::filesystem::exists(f.options.directory + "/frozen"));
  f.check();
  f.store.reset();
  f.options.directory = f.folder.path + "/copy";
  f.open();
  f.check();
  auto inbox = f.box("INBOX").id;
  REQUIRE(f.uids(inbox).size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(f.text(inbox, static_cast<Uid>(i + 1)) == text_of(i));
}

TEST_CASE("the segments of a frozen store stay while their mail is expunged, and go when it is let go") {
  Fixture f;
  f.options.segment_octets = 16 << 10;
  f.reopen();
  for (int i = 0; i < 20; ++i) f.put("INBOX", text_of(i));
  auto inbox = f.box("INBOX").id;
  auto still = frozen(f);
  REQUIRE(f.run(f.store->erase(inbox, f.uids(inbox))).ok());
  for (int i = 0; i < 50; ++i) f.run(f.store->write({}));   // as many groups as a rewriting could want
  for (const auto& segment : still->segments) CHECK(std::filesystem::exists(segment.path));
  auto segments = still->segments;
  copy(*still, f.folder.path + "/copy");
  still.reset();
  std::size_t left = 0;
  for (const auto& segment : segments) left += std::filesystem::exists(segment.path) ? 1 : 0;
  CHECK(left == 0);
  f.check();
  f.store.reset();
  f.options.directory = f.folder.path + "/copy";
  f.open();
  f.check();
  CHECK(f.uids(f.box("INBOX").id).size() == 20);
}

TEST_CASE("a segment that is frozen is never written again") {
  Fixture f;
  f.put("INBOX", text_of(1));
  auto first = frozen(f);
  REQUIRE(first->segments.size() == 1);
  auto size = std::filesystem::file_size(first->segments[0].path);
  CHECK(size == first->segments[0].octets);
  f.put("INBOX", text_of(2));
  CHECK(std::filesystem::file_size(first->segments[0].path) == size);
  first.reset();
  CHECK(frozen(f)->segments.size() == 2);
}

TEST_CASE("there is one frozen store at a time") {
  Fixture f;
  auto still = frozen(f);
  auto second = f.run(freeze(*f.store));
  REQUIRE_FALSE(second);
  CHECK(second.error().text == "a backup is being made already");
  still.reset();
  CHECK(f.run(freeze(*f.store)));
}

TEST_CASE("a frozen store may outlive the store") {
  Fixture f;
  f.put("INBOX", text_of(1));
  auto still = frozen(f);
  REQUIRE(f.run(f.store->erase(f.box("INBOX").id, {1})).ok());
  f.reopen();
  f.put("INBOX", text_of(2));
  still.reset();
  f.check();
  CHECK(f.text(f.box("INBOX").id, 2) == text_of(2));
}

TEST_CASE("what a killed backup left is cleared away by the next") {
  Fixture f;
  std::filesystem::create_directory(f.options.directory + "/frozen");
  std::ofstream(f.options.directory + "/frozen/000001.sst") << "half";
  std::filesystem::create_directory(f.options.directory + "/frozen.tmp");
  CHECK(frozen(f));
}

TEST_CASE("a disk that fails while the store is frozen costs neither the store nor what is to come") {
  for (auto fault : {Fault::io_error, Fault::no_space}) {
    for (int step = 0;; ++step) {
      Plan plan;
      FailingFiles files(plan);
      Fixture f(failing_ground(files, plan));
      for (int i = 0; i < 5; ++i) f.put("INBOX", text_of(i));
      INFO("step " << step);
      plan.arm(step, fault);
      auto made = f.run(freeze(*f.store));
      plan.disarm();
      bool fired = plan.has_fired();
      if (fired) CHECK_FALSE(made);
      made = Error("let go");
      f.put("INBOX", text_of(5));
      f.check();
      CHECK(frozen(f)->segments.size() > 0);
      CHECK_FALSE(std::filesystem::exists(f.options.directory + "/frozen"));
      if (!fired) {
        CHECK(step > 1);
        break;
      }
    }
  }
}

TEST_CASE("a store that is nearly out of disk is not frozen") {
  Plan plan;
  FailingFiles files(plan);
  Fixture f(failing_ground(files, plan));
  f.options.low_space_octets = 1000;
  f.reopen();
  plan.free = 999;
  auto made = f.run(freeze(*f.store));
  REQUIRE_FALSE(made);
  CHECK(made.error().text.find("the disk is nearly full") != std::string::npos);
}

TEST_CASE("bodies whose rows are lost are kept, however often the store is opened") {
  Fixture f;
  f.put("INBOX", text_of(1));
  f.store.reset();
  std::filesystem::remove_all(f.options.directory + "/rows");
  auto segments = [&] {
    auto files = std::filesystem::directory_iterator(f.options.directory + "/segments");
    return std::distance(begin(files), end(files));
  };
  REQUIRE(segments() == 1);
  for (int i = 0; i < 3; ++i) {
    auto opened = open_on(f.options, f.workers, f.ground);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().text.find("restore a backup") != std::string::npos);
    CHECK(segments() == 1);
  }
}

TEST_CASE("a store into which a restore was interrupted is not opened") {
  Fixture f;
  f.store.reset();
  std::filesystem::create_directory(f.options.directory + "/" + std::string(kRestoring));
  auto opened = open_on(f.options, f.workers, f.ground);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("was interrupted") != std::string::npos);
}
