// What a scanner can do from inside its jail: nothing but work on what it was given.
#include "filters/scanner_jail.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "gateway/base/text.h"
#include "gateway/io/fd.h"
#include "tests/support/catch.h"

using namespace postern;
using filters::Confinement;
using filters::Jail;
using filters::JailOptions;

namespace {

// A folder that the jailed process, nobody, can reach.
struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "postern-jail-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path = pattern;
    std::filesystem::permissions(path, std::filesystem::perms(0755));
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  std::string path;
};

// Runs `inside` in a jailed child and gives what it said, or how it ended.
std::string in_jail(JailOptions options, const std::function<std::string(const Jail&)>& inside) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return "no pipe";
  pid_t child = ::fork();
  if (child == 0) {
    options.keep_descriptor = ends[1];
    auto jail = filters::enter_jail(options);
    std::string said = jail ? inside(*jail) : "no jail: " + jail.error().text;
    [[maybe_unused]] auto written = ::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) said.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) said += " killed by " + std::to_string(WTERMSIG(status));
  return said;
}

std::string holes(const Jail& jail) {
  auto found = filters::holes_in_jail();
  return std::string(name(jail.confinement)) + ": " + (found.empty() ? "tight" : join(found, ", "));
}

std::string try_files(const Jail& jail) {
  std::string file = jail.folder + "/unpacked";
  io::Fd made(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!made.valid()) return "cannot make a file";
  if (::write(made.get(), "x", 1) != 1) return "cannot write a file";
  if (::open("/tmp/outside", O_CREAT | O_RDWR | O_CLOEXEC, 0600) >= 0 && jail.confinement == Confinement::landlock) return "wrote outside";
  if (::unlink(file.c_str()) != 0) return "cannot remove a file";
  return "ok";
}

// More than the tmpfs may hold, in files that each are small enough for RLIMIT_FSIZE.
std::string fill(const Jail& jail) {
  std::string block(64 << 10, 'x');
  std::uint64_t total = 0;
  for (int i = 0; i < 100; ++i) {
    io::Fd file(::open((jail.folder + "/f" + std::to_string(i)).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!file.valid()) break;
    ssize_t written = ::write(file.get(), block.data(), block.size());
    if (written <= 0) break;
    total += static_cast<std::uint64_t>(written);
  }
  return total <= (1 << 20) ? "bounded" : "not bounded";
}

std::string take_memory(const Jail&) {
  // Not malloc: a sanitizer's ends the process where it would return nothing.
  void* much = ::mmap(nullptr, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return much == MAP_FAILED ? "refused" : "given";
}

JailOptions options_in(const Scratch& scratch) {
  JailOptions options;
  options.scratch = scratch.path;
  return options;
}

}  // namespace

TEST_CASE("outside of a jail the check for holes finds them") {
  // In a child, because a few of the attempts change the process when they succeed.
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    std::string found = join(filters::holes_in_jail(), ", ");
    [[maybe_unused]] auto written = ::write(ends[1], found.data(), found.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::array<char, 4096> buffer{};
  ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  std::string found(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  for (const char* hole : {"open /etc/passwd", "socket, internet", "socket, unix", "execve", "fork", "kill", "prctl"}) {
    INFO(hole << " in " << found);
    CHECK(found.find(hole) != std::string::npos);
  }
}

TEST_CASE("open, socket, exec, fork and the rest fail inside the jail") {
  Scratch scratch;
  auto options = options_in(scratch);
  CHECK(in_jail(options, holes) == "private folder: tight");
  options.allow_namespaces = false;
  CHECK(in_jail(options, holes) == "landlock: tight");
}

TEST_CASE("the jailed process has its own folder to unpack into") {
  Scratch scratch;
  auto options = options_in(scratch);
  CHECK(in_jail(options, try_files) == "ok");
  options.allow_namespaces = false;
  CHECK(in_jail(options, try_files) == "ok");
}

TEST_CASE("its folder is limited in size") {
  Scratch scratch;
  auto options = options_in(scratch);
  options.scratch_octets = 1 << 20;
  CHECK(in_jail(options, fill) == "bounded");
  CHECK(std::filesystem::is_empty(scratch.path));
}

TEST_CASE("its memory is limited") {
  Scratch scratch;
  auto options = options_in(scratch);
  options.memory_octets = 128 << 20;
  CHECK(in_jail(options, take_memory) == "refused");
}

TEST_CASE("without namespaces and landlock there is no jail") {
  Scratch scratch;
  auto options = options_in(scratch);
  options.allow_namespaces = false;
  options.allow_landlock = false;
  CHECK(in_jail(options, holes).starts_with("no jail: scanners cannot be confined"));
}

TEST_CASE("what dead scanners left behind is swept away, and nothing else") {
  Scratch scratch;
  std::filesystem::path folder = scratch.path;
  auto options = options_in(scratch);
  options.allow_namespaces = false;
  CHECK(in_jail(options, [](const Jail&) { return std::string("ended"); }) == "ended");
  std::filesystem::create_directory(folder / ("postern-scan-" + std::to_string(::getpid())));
  std::filesystem::create_directory(folder / "something else");
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 3);
  filters::sweep_scratch(folder);
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 2);
  CHECK(std::filesystem::exists(folder / "something else"));
}
