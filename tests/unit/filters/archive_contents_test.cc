// What archives hold: names, kinds, bombs, and where programs would disagree about a zip.
#include "filters/archive_contents.h"

#include "filters/zip_directory.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using testing::le;
using testing::zip;

namespace {

struct Listing {
  std::vector<ArchiveMember> members;
  std::vector<std::string> contents;
  ArchiveContents result;
};

Listing list(std::string_view octets, ArchiveBudget budget = {}) {
  Listing out;
  auto wants = [](const ArchiveMember&) { return ~std::uint64_t{0}; };
  auto take = [&out](const ArchiveMember& member, std::string_view content, bool) {
    out.members.push_back(member);
    out.contents.emplace_back(content);
  };
  out.result = archive_contents(octets, file_kind(octets), budget, wants, take);
  return out;
}

std::string confusion(std::string_view octets) { return zip_directory(octets).confusion; }

using State = ArchiveContents::State;

}  // namespace

TEST_CASE("a zip's members come with their content") {
  auto found = list(zip({{"a.txt", "hello"}, {"dir/b.exe", testing::program()}, {"c", "stored", true}}));
  REQUIRE(found.members.size() == 3);
  CHECK(found.members[1].name == "dir/b.exe");
  CHECK(found.contents[0] == "hello");
  CHECK(found.contents[1] == testing::program());
  CHECK(found.contents[2] == "stored");
  CHECK(found.result.state == State::listed);
  CHECK(found.result.signs.empty());
  CHECK(found.result.problem == "");
}

TEST_CASE("tar, gzip and what libarchive reads are listed, too") {
  auto in_tar = list(testing::tar({{"a.txt", "hello"}, {"b.js", "eval(1)"}}));
  REQUIRE(in_tar.members.size() == 2);
  CHECK(in_tar.members[1].name == "b.js");
  CHECK(in_tar.contents[0] == "hello");
  auto in_gzip = list(testing::deflated("hello", 31) + testing::deflated(", world", 31));
  REQUIRE(in_gzip.members.size() == 1);
  CHECK(in_gzip.contents[0] == "hello, world");
  ArchiveBudget without;
  without.libarchive = false;
  CHECK(list(testing::tar({{"a", "b"}}), without).result.state == State::unread);
  CHECK(list(testing::deflated("hello", 31), without).contents.at(0) == "hello");
}

TEST_CASE("archives that nothing reads are said so") {
  for (const std::string& octets : {"1234567**ACE**x" + std::string(100, 'x'), "\x60\xea\x2b" + std::string("\0\x22\x0b\x01\x0b\x10\0\2", 8), std::string(0x8001, '\0') + "BEA01\1"}) {
    auto found = list(octets);
    CHECK(found.result.state == State::unread);
    CHECK(found.result.signs.has(Sign::archive_unread));
    CHECK(found.result.problem != "");
  }
  auto rubbish = list("7z\xbc\xaf\x27\x1c" + std::string(100, 'x'));
  CHECK(rubbish.result.state == State::unread);
  CHECK(rubbish.result.signs.has(Sign::archive_unread));
}

TEST_CASE("encrypted members are noted and not unpacked") {
  auto found = list(zip({{"a.exe", "xxxx", true, 1}}));
  CHECK(found.result.signs.detail(Sign::encrypted_archive) == "a.exe");
  CHECK(found.members.at(0).encrypted);
  CHECK(found.contents.at(0) == "");
}

TEST_CASE("members that would leave their folder, and links, are noted") {
  CHECK(list(zip({{"../../etc/passwd", "x"}})).result.signs.has(Sign::path_traversal));
  CHECK(list(zip({{"/etc/passwd", "x"}})).result.signs.has(Sign::path_traversal));
  CHECK(list(zip({{"C:\\x.exe", "x"}})).result.signs.has(Sign::path_traversal));
  CHECK(list(zip({{"a\\..\\..\\x", "x"}})).result.signs.has(Sign::path_traversal));
  CHECK_FALSE(list(zip({{"a..b/c...txt", "x"}})).result.signs.has(Sign::path_traversal));
  CHECK(list(testing::tar({{"link", ""}}, '2')).result.signs.has(Sign::link_in_archive));
}

TEST_CASE("a bomb is told by what it declares and by what comes out") {
  std::string zeros(20 << 20, '\0');
  auto packed = list(zip({{"a", zeros}}));
  CHECK(packed.result.signs.has(Sign::archive_bomb));
  CHECK(list(testing::deflated(zeros, 31)).result.signs.has(Sign::archive_bomb));
  CHECK(list(zip({{"a", "x", false, 0, "", 0xfffffff0}})).result.signs.has(Sign::archive_bomb));
  CHECK_FALSE(list(zip({{"a", std::string(1 << 20, 'a')}})).result.signs.has(Sign::archive_bomb));
}

TEST_CASE("what is unpacked is bounded, and the bound is said") {
  ArchiveBudget budget;
  budget.octets = 1000;
  auto found = list(zip({{"a", std::string(800, 'a')}, {"b", std::string(800, 'b')}, {"c", "c"}}), budget);
  REQUIRE(found.members.size() == 3);
  CHECK(found.contents[0].size() == 800);
  CHECK(found.contents[1].size() < 800);
  CHECK(found.contents[2] == "");
  CHECK(found.result.state == State::partly);
  CHECK(found.result.problem != "");
  budget.octets = 1 << 20;
  budget.members = 2;
  CHECK(list(zip({{"a", "1"}, {"b", "2"}, {"c", "3"}}), budget).members.size() == 2);
  budget.members = 10;
  budget.member_octets = 3;
  CHECK(list(zip({{"a", "12345"}}), budget).contents.at(0) == "123");
  budget = {};
  budget.octets = 100;
  auto tarred = list(testing::tar({{"a", std::string(5000, 'a')}}), budget);
  CHECK(tarred.result.state == State::partly);
}

TEST_CASE("a zip whose places differ confuses programs") {
  CHECK(confusion(zip({{"a", "x"}})) == "");
  CHECK(confusion(zip({{"a.txt", "x", false, 0, "a.exe"}})) == "an entry has two names: a.txt and a.exe");
  CHECK(confusion(zip({{"a", "x"}, {"hidden", "y", false, 0, "", 0, true}, {"b", "z"}})) == "an entry stands in no directory");
  CHECK(confusion(zip({{"a", "x"}, {"hidden", "y", false, 0, "", 0, true}})) == "an entry stands in no directory");
  CHECK(confusion(zip({{"a", "x"}}) + "rubbish") == "octets behind the end of the zip");
  CHECK(confusion(zip({{"a", "x"}, {"a", "y"}})) == "two entries of the same name: a");
  CHECK(confusion(zip({{"a", "x"}}) + zip({{"b", "y"}})) == "two directories");
  CHECK(confusion(zip({{std::string("a\0b", 3), "x"}})) == "a name with a NUL, behind which some programs do not read");
  std::string number = zip({{"a", "x"}, {"b", "y"}});
  number[number.rfind("PK\x05\x06") + 10] = 5;
  CHECK(confusion(number) == "the two numbers of entries differ");
  std::string method = zip({{"a", "xxxxxxxxxxxxxxxx"}});
  method[8] = 0;
  CHECK(confusion(method) == "an entry's packing differs in its two headers: a");
  CHECK(confusion(zip({{"a", "x"}}, "", zip({}))) == "an end record stands in the comment of another");
}

TEST_CASE("a second name in the directory is the one that is shown") {
  std::string block = std::string("\x01", 1) + le(0, 4) + "evil.exe";
  auto directory = zip_directory(zip({{"good.txt", "x", false, 0, "", 0, false, le(0x7075, 2) + le(block.size(), 2) + block}}));
  REQUIRE(directory.entries.size() == 1);
  CHECK(directory.entries[0].name == "evil.exe");
}

TEST_CASE("a zip behind a program is read, and what stands before it is noted") {
  std::string octets = zip({{"a.txt", "hello"}}, testing::program());
  auto directory = zip_directory(octets);
  REQUIRE(directory.entries.size() == 1);
  CHECK(directory.prefix == testing::program().size());
  CHECK(zip_content(octets, directory.entries[0], 100).octets == "hello");
}

TEST_CASE("entries that share their octets are a bomb and not unpacked") {
  // Two directory entries that name the same local header.
  std::string once = zip({{"a", std::string(1000, 'a')}});
  auto directory = once.find("PK\x01\x02");
  auto end = once.rfind("PK\x05\x06");
  std::string record = once.substr(directory, end - directory);
  std::string second = record;
  second[46] = 'b';
  std::string octets = once.substr(0, end) + second + "PK\x05\x06" + le(0, 4) + le(2, 2) + le(2, 2) + le(record.size() * 2, 4) + le(directory, 4) + le(0, 2);
  CHECK(zip_directory(octets).overlapping);
  auto found = list(octets);
  CHECK(found.result.signs.has(Sign::archive_bomb));
  CHECK(found.contents.at(0) == "");
}

TEST_CASE("the number of entries that are read is bounded") {
  std::vector<testing::ZipFile> files;
  for (std::size_t i = 0; i < kMaxZipEntries + 10; ++i) files.push_back({std::to_string(i), "", true});
  auto directory = zip_directory(zip(files));
  CHECK(directory.truncated);
  CHECK(directory.entries.size() == kMaxZipEntries);
}

TEST_CASE("an archive cut anywhere is listed as far as it goes, in little time") {
  std::string inner(3000, 'a');
  for (const auto& octets : {zip({{"a.txt", inner}, {"b.txt", inner}}), testing::tar({{"a", inner}, {"b", inner}}), testing::deflated(inner, 31)}) {
    testing::at_each_length(octets, 300, [](std::string_view cut) {
      auto found = list(cut);
      CHECK(found.members.size() <= 2);
    });
  }
}

TEST_CASE("a directory of many equal names costs no more than its length") {
  auto work = [](std::size_t count) {
    std::vector<testing::ZipFile> files(count, {"same/name/for/all", "x", true});
    return zip_directory(zip(files)).entries.size();
  };
  CHECK(testing::grows_with_its_length(work, 2000));
}
