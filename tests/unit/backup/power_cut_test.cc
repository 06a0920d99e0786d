// A power cut after any sync of a backup or a restore: what looks like a backup is one, and what opens as a store is whole.
#include "tests/unit/store/power_cut.h"

#include "tests/unit/backup/world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::backup;
using namespace postern::backup::test;
using postern::store::test::Image;
using postern::store::test::PowerCut;

namespace {

std::string text(int number) { return text_of(number); }

std::size_t mail_in(Fixture& f, const std::string& data) {
  change_to(f, data);
  f.check();
  return f.uids(f.box("INBOX").id).size();
}

}  // namespace

TEST_CASE("a power cut at any moment of a backup leaves whole backups and none besides, and the store") {
  std::vector<Image> images;
  std::string first;
  std::size_t told = 0;
  {
    Fixture f;
    for (int i = 0; i < 5; ++i) f.put("INBOX", text(i));
    auto directory = f.folder.path + "/backups";
    first = must_back_up(f, directory).generation;
    for (int i = 5; i < 8; ++i) f.put("INBOX", text(i));
    PowerCut cut(f.folder.path);
    must_back_up(f, directory);
    told = cut.count();
    f.put("INBOX", text(8));
    f.store.reset();
    images = cut.images();
  }
  REQUIRE(images.size() > 10);
  std::size_t with_both = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    INFO("after sync " << i << " of " << images.size() << "; the backup was told at " << told);
    Fixture f;
    f.store.reset();
    fs::remove_all(f.options.directory);
    images[i].restore(f.folder.path);
    auto directory = f.folder.path + "/backups";
    auto all = generations(directory);
    REQUIRE(!all.empty());
    CHECK(all[0].name == first);
    for (const auto& one : all) CHECK(verified(directory, one.name).empty());
    if (i + 1 >= told) CHECK(all.size() == 2);
    with_both += all.size() == 2 ? 1 : 0;
    auto mail = mail_in(f, f.folder.path + "/store");
    CHECK(mail >= 8);
    // And the next goes well.
    CHECK(verified(directory, must_back_up(f, directory).generation).empty());
  }
  CHECK(with_both > 0);
  CHECK(with_both < images.size());
}

TEST_CASE("a power cut at any moment of a restore leaves no store, or the whole of it") {
  std::vector<Image> images;
  std::size_t told = 0;
  {
    Fixture f;
    for (int i = 0; i < 5; ++i) f.put("INBOX", text(i));
    auto directory = f.folder.path + "/backups";
    must_back_up(f, directory);
    f.store.reset();
    fs::remove_all(f.options.directory);
    fs::create_directory(f.options.directory);
    PowerCut cut(f.folder.path);
    REQUIRE(restored(directory, f.options.directory));
    told = cut.count();
    images = cut.images();
  }
  REQUIRE(images.size() > 10);
  std::size_t whole = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    INFO("after sync " << i << " of " << images.size() << "; the restore was told at " << told);
    Fixture f;
    f.store.reset();
    fs::remove_all(f.options.directory);
    images[i].restore(f.folder.path);
    auto data = f.options.directory;
    bool begun = fs::exists(data + "/restoring");
    bool there = fs::exists(data + "/rows");
    if (begun || !there) {
      CHECK(i + 1 < told);
      if (begun) CHECK_FALSE(open_on(f.options, f.workers, {}));
      auto again = restored(f.folder.path + "/backups", data);
      if (!again) FAIL(again.error().text);
    } else {
      ++whole;
    }
    CHECK(mail_in(f, data) == 5);
  }
  CHECK(whole > 0);
}
