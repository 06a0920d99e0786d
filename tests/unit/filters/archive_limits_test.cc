// Bounds on archives.
#include "filters/archive_limits.h"

#include "tests/support/antivirus/rig.h"
#include "tests/support/catch.h"

using namespace postern;
using filters::ArchiveLimits;
using filters::ArchiveReport;
using filters::examine_archive;
using testing::zip_of;

TEST_CASE("what is no archive is told at a glance") {
  CHECK(examine_archive("", {}).state == ArchiveReport::State::no_archive);
  CHECK(examine_archive("hello", {}).state == ArchiveReport::State::no_archive);
}

TEST_CASE("a small zip is within the limits") {
  auto report = examine_archive(zip_of("a.txt", "hello"), {});
  CHECK(report.state == ArchiveReport::State::within);
  CHECK_FALSE(report.encrypted);
}

TEST_CASE("a zip that unpacks to too much is refused") {
  ArchiveLimits limits;
  limits.expanded_octets = 1 << 20;
  CHECK(examine_archive(zip_of("a", std::string(1 << 20, 'a')), limits).state == ArchiveReport::State::within);
  auto report = examine_archive(zip_of("a", std::string((1 << 20) + 1, 'a')), limits);
  CHECK(report.state == ArchiveReport::State::exceeded);
  CHECK(report.problem == "limit exceeded: the archive unpacks to more than 1 MiB");
}

TEST_CASE("inner archives count towards the same limit") {
  ArchiveLimits limits;
  limits.expanded_octets = 1 << 20;
  std::string inner = zip_of("a", std::string(600 << 10, 'a'));
  CHECK(examine_archive(zip_of("i.zip", inner), limits).state == ArchiveReport::State::within);
  std::string twice = zip_of("i.zip", zip_of("b", std::string((1 << 20) - 100, 'b')));
  CHECK(examine_archive(twice, limits).state == ArchiveReport::State::exceeded);
}

TEST_CASE("a zip behind a program is seen") {
  ArchiveLimits limits;
  limits.expanded_octets = 1000;
  std::string program = "MZ" + std::string(5000, 'x') + zip_of("a", std::string(5000, 'a'));
  CHECK(examine_archive(program, limits).state == ArchiveReport::State::exceeded);
}

TEST_CASE("depth and number of entries are bounded") {
  ArchiveLimits limits;
  limits.depth = 2;
  std::string two = zip_of("i.zip", zip_of("a", "x"));
  CHECK(examine_archive(two, limits).state == ArchiveReport::State::within);
  CHECK(examine_archive(zip_of("o.zip", two), limits).state == ArchiveReport::State::exceeded);
  limits.entries = 1;
  CHECK(examine_archive(two, limits).problem == "limit exceeded: the archive has more than 1 entries");
}

TEST_CASE("time is bounded") {
  ArchiveLimits limits;
  limits.time = std::chrono::milliseconds(0);
  CHECK(examine_archive(zip_of("a", "x"), limits).problem == "limit exceeded: the archive takes too long to unpack");
}

TEST_CASE("an encrypted zip is noted") {
  // The bit "encrypted" in the flags of the local and of the central header, APPNOTE.TXT 4.4.4.
  std::string zip = zip_of("a", "secret");
  zip[zip.find("PK\x03\x04") + 6] |= 1;
  zip[zip.find("PK\x01\x02") + 8] |= 1;
  auto report = examine_archive(zip, {});
  CHECK(report.encrypted);
  CHECK(report.state == ArchiveReport::State::within);
}

TEST_CASE("a damaged archive is within the limits") {
  std::string zip = zip_of("a", std::string(10000, 'a'));
  CHECK(examine_archive(zip.substr(0, zip.size() / 2), {}).state == ArchiveReport::State::within);
}
