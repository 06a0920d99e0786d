// Backups: whole or none, each with what was acknowledged before its moment, old ones going without harm to the others.
#include "tests/unit/backup/world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::backup;
using namespace postern::backup::test;
using postern::store::test::FailingFiles;
using postern::store::test::Fault;
using postern::store::test::Plan;

namespace {

std::size_t files_in(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a backup holds the store of its moment, and reading it changes nothing in it") {
  Fixture f;
  for (int i = 0; i < 10; ++i) f.put("INBOX", text_of(i));
  auto directory = f.folder.path + "/backups";
  auto made = must_back_up(f, directory);
  CHECK(made.new_segments == 1);
  CHECK(made.octets == made.new_octets);
  f.put("INBOX", text_of(10));
  auto before = contents(directory);
  CHECK(verified(directory).empty());
  auto folder = backup::Folder::open(system_files(), directory);
  auto generation = folder->generation("");
  REQUIRE(generation);
  CHECK(generation->name == made.generation);
  {
    auto opened = Opened::open(system_files(), *folder, *generation);
    REQUIRE(opened);
    auto account = (*opened)->catalog().account("a@example.test");
    REQUIRE(account);
    auto inbox = (*opened)->catalog().mailbox(account->id, "INBOX");
    auto messages = (*opened)->messages(inbox->id, 1, 100);
    REQUIRE(messages);
    REQUIRE(messages->size() == 10);
    CHECK(*(*opened)->record(messages->at(3)) == text_of(3));
  }
  CHECK(contents(directory) == before);
}

TEST_CASE("a second backup takes only the segments that are not there yet") {
  Fixture f;
  auto directory = f.folder.path + "/backups";
  for (int i = 0; i < 300; ++i) f.put("INBOX", text_of(i));
  auto first = must_back_up(f, directory);
  f.put("INBOX", text_of(300));
  auto second = must_back_up(f, directory);
  CHECK(second.segments == 2);
  CHECK(second.new_segments == 1);
  CHECK(second.new_octets < first.new_octets / 5);
  CHECK(second.octets > first.octets);
  CHECK(files_in(directory + "/segments") == 2);
  CHECK(verified(directory, first.generation).empty());
  CHECK(verified(directory, second.generation).empty());
  // Also when the store was closed in between.
  f.reopen();
  auto third = must_back_up(f, directory);
  CHECK(third.new_segments == 0);
}

TEST_CASE("a segment whose number came again is another segment") {
  Fixture f;
  auto directory = f.folder.path + "/backups";
  f.put("INBOX", text_of(1));
  auto first = must_back_up(f, directory);
  REQUIRE(f.run(f.store->erase(f.box("INBOX").id, {1})).ok());
  f.reopen();   // its file went with the message; the next has its number
  f.run(f.store->write({}));
  f.reopen();
  f.put("INBOX", text_of(2));
  auto second = must_back_up(f, directory);
  CHECK(generations(directory)[0].manifest.segments[0].number == generations(directory)[1].manifest.segments.back().number);
  CHECK(verified(directory, first.generation).empty());
  CHECK(verified(directory, second.generation).empty());
}

TEST_CASE("old backups go and the others stay whole") {
  Fixture f;
  auto directory = f.folder.path + "/backups";
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) {
    auto uid = f.put("INBOX", text_of(i));
    if (i == 0) f.put("Archive", text_of(100));
    names.push_back(must_back_up(f, directory).generation);
    REQUIRE(f.run(f.store->erase(f.box("INBOX").id, {uid})).ok());
  }
  auto segments = files_in(directory + "/segments");
  {
    auto folder = backup::Folder::open_to_write(system_files(), directory);
    REQUIRE(folder);
    auto dropped = folder->drop_old(2);
    REQUIRE(dropped);
    CHECK(*dropped == std::vector<std::string>(names.begin(), names.begin() + 2));
  }
  REQUIRE(generations(directory).size() == 2);
  CHECK(files_in(directory + "/segments") < segments);
  CHECK(verified(directory, names[2]).empty());
  CHECK(verified(directory, names[3]).empty());
}

TEST_CASE("while a manifest cannot be read no segment goes, for it may name it") {
  Fixture f;
  auto directory = f.folder.path + "/backups";
  auto uid = f.put("INBOX", text_of(0));
  auto first = must_back_up(f, directory);
  REQUIRE(f.run(f.store->erase(f.box("INBOX").id, {uid})).ok());
  f.put("INBOX", text_of(1));
  must_back_up(f, directory);
  must_back_up(f, directory);
  flip(directory + "/" + first.generation + "/manifest", 100);
  auto segments = files_in(directory + "/segments");
  auto folder = backup::Folder::open_to_write(system_files(), directory);
  REQUIRE(folder);
  auto dropped = folder->drop_old(1);
  REQUIRE(dropped);
  CHECK(dropped->size() == 1);
  CHECK(files_in(directory + "/segments") == segments);
  CHECK(generations(directory)[0].problem.find("its checksum is wrong") != std::string::npos);
  CHECK_FALSE(folder->generation(first.generation));
}

TEST_CASE("every octet that is damaged in a backup is found") {
  Fixture f;
  f.put("INBOX", text_of(0));
  auto directory = f.folder.path + "/backups";
  auto made = must_back_up(f, directory);
  std::size_t files = 0;
  for (const auto& [name, octets] : contents(directory)) {
    if (name.find(made.generation) == std::string::npos && name.find("/segments/") == std::string::npos) continue;
    if (octets.empty()) continue;
    ++files;
    for (auto at : {std::size_t{0}, octets.size() / 2, octets.size() - 1}) {
      INFO(name << " at " << at);
      flip(directory + name, at);
      CHECK_FALSE(verified(directory).empty());
      flip(directory + name, at);
    }
  }
  CHECK(files > 4);
  CHECK(verified(directory).empty());
  fs::remove(fs::directory_iterator(directory + "/segments")->path());
  CHECK_FALSE(verified(directory).empty());
}

TEST_CASE("a folder that holds other things is left alone") {
  Fixture f;
  auto directory = f.folder.path + "/home";
  fs::create_directory(directory);
  std::ofstream(directory + "/letter") << "dear";
  auto made = back_up(f, directory);
  REQUIRE_FALSE(made);
  CHECK(made.error().text.find("holds other things") != std::string::npos);
  CHECK(files_in(directory) == 1);
  CHECK_FALSE(backup::Folder::open(system_files(), directory));
  CHECK_FALSE(backup::Folder::open(system_files(), f.folder.path + "/nowhere"));
  // The store itself is no folder of backups either.
  CHECK_FALSE(back_up(f, f.options.directory));
  f.check();
}

TEST_CASE("two do not write into one folder of backups at once") {
  store::test::Folder folder;
  auto first = backup::Folder::open_to_write(system_files(), folder.path + "/backups");
  REQUIRE(first);
  auto second = backup::Folder::open_to_write(system_files(), folder.path + "/backups");
  CHECK_FALSE(second);
}

TEST_CASE("a disk that fails at any step of a backup leaves the backups before it whole, and nothing that looks like one") {
  for (auto fault : {Fault::io_error, Fault::no_space, Fault::short_write}) {
    for (int step = 0;; ++step) {
      Fixture f;
      for (int i = 0; i < 3; ++i) f.put("INBOX", text_of(i));
      auto directory = f.folder.path + "/backups";
      auto first = must_back_up(f, directory);
      f.put("INBOX", text_of(3));
      Plan plan;
      FailingFiles files(plan);
      plan.arm(step, fault);
      auto made = back_up(f, directory, files);
      plan.disarm();
      INFO("step " << step);
      auto all = generations(directory);
      bool complete = all.size() == 2;   // also where only its name may not outlive a power cut, and that is told
      CHECK((complete || (!made && all.size() == 1)));
      for (const auto& one : all) CHECK(verified(directory, one.name).empty());
      CHECK(all[0].name == first.generation);
      f.check();
      auto again = must_back_up(f, directory);
      CHECK(verified(directory, again.generation).empty());
      for (const auto& [name, octets] : contents(directory)) CHECK(name.find(".partial") == std::string::npos);
      if (!plan.has_fired()) {
        CHECK(step > 8);
        break;
      }
    }
  }
}

TEST_CASE("where links do not lead, files are copied") {
  // What another file system says of a link.
  class Apart : public FailingFiles {
   public:
    explicit Apart(Plan& plan) : FailingFiles(plan) {}
    std::error_code link(const std::string&, const std::string&) override { return std::make_error_code(std::errc::cross_device_link); }
  };
  Fixture f;
  for (int i = 0; i < 10; ++i) f.put("INBOX", text_of(i));
  auto directory = f.folder.path + "/backups";
  Plan plan;
  Apart files(plan);
  auto made = back_up(f, directory, files);
  REQUIRE(made);
  CHECK_FALSE(made->linked);
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) CHECK(fs::hard_link_count(entry.path()) == 1);
  }
  CHECK(verified(directory).empty());
  f.put("INBOX", text_of(10));
  auto second = back_up(f, directory, files);
  REQUIRE(second);
  CHECK(second->new_segments == 1);
  CHECK(verified(directory).empty());
}
