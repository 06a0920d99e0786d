// Compound files: streams, loops, and what is damaged.
#include "filters/ole_file.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using testing::le;

namespace {

std::string sample() {
  testing::OleBuilder ole;
  ole.add("Small", "hello");
  ole.add("Folder/Large", std::string(10'000, 'L'));
  ole.add("Folder/Deeper/Leaf", "leaf");
  ole.add("\x01Ole10Native", "n");
  return ole.build();
}

void put(std::string& octets, std::size_t at, std::uint32_t value) { octets.replace(at, 4, le(value, 4)); }
std::size_t sector_at(std::uint32_t number) { return (number + 1) * std::size_t{512}; }
std::uint32_t number_at(const std::string& octets, std::size_t at) {
  std::uint32_t out = 0;
  for (int i = 3; i >= 0; --i) out = out << 8 | static_cast<unsigned char>(octets[at + static_cast<std::size_t>(i)]);
  return out;
}

}  // namespace

TEST_CASE("streams of a compound file are found by their paths") {
  std::string octets = sample();
  auto file = OleFile::open(octets);
  REQUIRE(file);
  CHECK(file->problem() == "");
  REQUIRE(file->find("/Small"));
  CHECK(file->stream(*file->find("/Small"), 100) == "hello");
  REQUIRE(file->find("/folder/LARGE"));
  CHECK(file->stream(*file->find("/Folder/Large"), 1 << 20) == std::string(10'000, 'L'));
  CHECK(file->stream(*file->find("/Folder/Large"), 10) == std::string(10, 'L'));
  REQUIRE(file->find("/Folder/Deeper/Leaf"));
  CHECK(file->find("/\x01Ole10Native"));
  CHECK_FALSE(file->find("/Nothing"));
  bool damaged = true;
  static_cast<void>(file->stream(*file->find("/Folder/Large"), 1 << 20, &damaged));
  CHECK_FALSE(damaged);
}

TEST_CASE("what is no compound file is none") {
  CHECK_FALSE(OleFile::open(""));
  CHECK_FALSE(OleFile::open(std::string(1000, 'x')));
  CHECK_FALSE(OleFile::open("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"));
}

TEST_CASE("a chain that loops ends and is told") {
  std::string octets = sample();
  // The table lies in the last sector; the large stream's first sector leads to itself.
  std::size_t table = octets.size() - 512;
  auto file = OleFile::open(octets);
  REQUIRE(file);
  std::uint32_t first = file->find("/Folder/Large")->start;
  put(octets, table + first * 4, first);
  auto looped = OleFile::open(octets);
  REQUIRE(looped);
  bool damaged = false;
  auto content = looped->stream(*looped->find("/Folder/Large"), 1 << 20, &damaged);
  CHECK(content.size() <= octets.size() + 512);
  // A size beyond the file's makes the loop felt.
  std::uint32_t directory = number_at(octets, 48);
  put(octets, table + directory * 4, directory);
  auto turned = OleFile::open(octets);
  REQUIRE(turned);
  CHECK(turned->problem() == "the directory's chain is broken or loops");
  CHECK(turned->entries().size() <= kMaxOleEntries);
}

TEST_CASE("a directory that loops ends and is told") {
  std::string octets = sample();
  std::uint32_t directory = number_at(octets, 48);
  // The root's first child gets the child itself as its right sibling.
  std::uint32_t child = number_at(octets, sector_at(directory) + 76);
  put(octets, sector_at(directory) + child * 128 + 72, child);
  auto file = OleFile::open(octets);
  REQUIRE(file);
  CHECK(file->problem() == "the directory loops");
  // What the loop cut off is found nevertheless.
  bool orphan = false;
  for (const auto& entry : file->entries()) orphan = orphan || entry.path.starts_with("?/");
  CHECK(orphan);
}

TEST_CASE("a sector table that loops ends and is told") {
  std::string octets = sample();
  // The extension of the table is the file's first sector, which names itself as the next one.
  put(octets, 68, 0);
  put(octets, 72, 1);
  put(octets, sector_at(0) + 508, 0);
  auto file = OleFile::open(octets);
  REQUIRE(file);
  CHECK(file->problem() != "");
}

TEST_CASE("a compound file cut anywhere is read as far as it goes") {
  std::string octets = sample();
  testing::at_each_length(octets, 400, [](std::string_view cut) {
    auto file = OleFile::open(cut);
    if (!file) return;
    for (const auto& entry : file->entries()) CHECK(file->stream(entry, 1 << 20).size() <= cut.size());
  });
}

TEST_CASE("a compound file with any octet changed is read") {
  std::string octets = sample();
  for (std::size_t at = 0; at < octets.size(); at += octets.size() / 997 + 1) {
    std::string changed = octets;
    changed[at] = static_cast<char>(~changed[at]);
    auto file = OleFile::open(changed);
    if (!file) continue;
    CHECK(file->entries().size() <= kMaxOleEntries);
    for (const auto& entry : file->entries()) CHECK(file->stream(entry, 1 << 20).size() <= changed.size() + 4096);
  }
}

TEST_CASE("a file of many entries costs no more than its length") {
  auto work = [](std::size_t count) {
    testing::OleBuilder ole;
    for (std::size_t i = 0; i < count; ++i) ole.add("s" + std::to_string(i), "x");
    std::string octets = ole.build();
    auto file = OleFile::open(octets);
    return file ? file->entries().size() : 0;
  };
  CHECK(work(300) == 301);
  CHECK(work(kMaxOleEntries + 100) <= kMaxOleEntries);
}
