// The log when nobody reads it.
#include "gateway/base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>

#include "tests/support/catch.h"

using namespace postern;

namespace {

// Standard error of this process is a pipe of four pages as long as this lives.
class Piped {
 public:
  Piped() {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends_[1], F_SETPIPE_SZ, 16384) == 16384);
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    before_ = ::dup(STDERR_FILENO);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~Piped() {
    ::dup2(before_, STDERR_FILENO);
    for (int fd : {before_, ends_[0], ends_[1]}) ::close(fd);
  }
  Piped(const Piped&) = delete;

  // What is in the pipe now.
  std::string read() {
    std::string out;
    char octets[4096];
    for (ssize_t got = 0; (got = ::read(ends_[0], octets, sizeof octets)) > 0;) out.append(octets, static_cast<std::size_t>(got));
    return out;
  }

 private:
  int ends_[2] = {-1, -1};
  int before_ = -1;
};

std::ptrdiff_t lines_in(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("a log that nobody reads stops nobody, and says later how many lines it lost") {
  constexpr int kLines = 1'000;
  Piped pipe;
  auto writing = std::async(std::launch::async, [] {
    for (int i = 0; i < kLines; ++i) log::error("test.line", {{"number", std::to_string(i)}});
  });
  bool waits = writing.wait_for(std::chrono::seconds(20)) != std::future_status::ready;
  std::string first = pipe.read();
  while (writing.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) first += pipe.read();
  REQUIRE_FALSE(waits);
  REQUIRE(first.ends_with("\n"));
  CHECK(lines_in(first) < kLines);
  CHECK((::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);   // the shell's terminal may be the same open file

  log::error("test.again");
  log::error("test.again");
  std::string second = pipe.read();
  CHECK(second.find("event=log.lost lines=" + std::to_string(kLines - lines_in(first)) + "\n") != std::string::npos);
  CHECK(lines_in(second) == 3);
}

TEST_CASE("a line longer than a pipe is cut, and the next one begins anew") {
  Piped pipe;
  log::error("test.long", {{"text", std::string(40'000, 'x')}});
  std::string first = pipe.read();
  CHECK(first.find("event=test.long text=xxx") != std::string::npos);
  log::error("test.next");
  std::string second = pipe.read();
  CHECK(second.starts_with("\ntime="));
  CHECK(second.find("event=log.lost lines=1\n") != std::string::npos);
  CHECK(second.find("event=test.next\n") != std::string::npos);
}
