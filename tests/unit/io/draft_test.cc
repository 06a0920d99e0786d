// Large messages on their way.  This program's open() can play a file system without O_TMPFILE.
#include "gateway/io/draft.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace {
std::atomic<int> unnamed_error = 0;   // what O_TMPFILE is answered
}

extern "C" int open(const char* path, int flags, ...) {   // NOLINT(cert-dcl50-cpp): as libc's
  bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  if (unnamed && unnamed_error != 0) {
    errno = unnamed_error;
    return -1;
  }
  unsigned mode = 0;
  if (unnamed || (flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, unsigned);
    va_end(arguments);
  }
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

using namespace postern;

TEST_CASE("a large draft is kept in a file that has no name, whatever the file system can do") {
  std::string text;
  while (text.size() < 3 * io::Draft::kInMemory) text += "a line of " + std::to_string(text.size()) + "\r\n";
  for (int error : {0, EOPNOTSUPP, EISDIR}) {
    INFO("O_TMPFILE is answered " << error);
    test::TemporaryDirectory folder;
    unnamed_error = error;
    io::Draft draft(folder.path());
    for (std::size_t at = 0; at < text.size(); at += 10'000) REQUIRE(draft.append(std::string_view(text).substr(at, 10'000)));
    unnamed_error = 0;
    CHECK(std::filesystem::is_empty(folder.path()));
    auto octets = draft.finish();
    REQUIRE(octets);
    CHECK((octets->view() == text));
  }
}

TEST_CASE("a folder that takes no file at all is an error of the draft") {
  io::Draft draft("/nonexistent/folder");
  CHECK_FALSE(draft.append(std::string(io::Draft::kInMemory + 1, 'x')));
}
