// One process a store.
#include "gateway/store/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gateway/base/text.h"

namespace postern::store {

Result<io::Fd> hold_lock_file(const std::string& path) {
  io::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return Error(path + ": " + std::strerror(errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error(path + ": " + std::strerror(errno));
    char text[32];
    auto got = ::pread(fd.get(), text, sizeof text, 0);
    std::string pid(trimmed(std::string_view(text, got > 0 ? static_cast<std::size_t>(got) : 0)));
    return Error("the store is in use by process " + (pid.empty() ? std::string("?") : pid) + " (" + path + ")");
  }
  auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return Error(path + ": " + std::strerror(errno));
  }
  return fd;
}

}  // namespace postern::store
