// A password in a file of its own, so that the configuration may be shown to anybody.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gateway/config/config.h"

namespace postern::config {
namespace {

constexpr std::size_t kMaxSecret = 1024;

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::string> read_secret(const std::string& path) {
  Descriptor file(path);
  if (file.get() < 0) return Error(path + ": cannot be read: " + std::strerror(errno));
  struct stat state{};
  if (::fstat(file.get(), &state) != 0) return Error(path + ": cannot be read: " + std::strerror(errno));
  if (!S_ISREG(state.st_mode)) return Error(path + ": is no file");
  if ((state.st_mode & 0027) != 0) {
    return Error(path + ": others may read or change it: chmod 600 for the user postern, or chgrp postern and chmod 640");
  }
  char text[kMaxSecret + 1];
  ssize_t got = ::read(file.get(), text, sizeof text);
  if (got < 0) return Error(path + ": cannot be read: " + std::strerror(errno));
  std::string secret(text, static_cast<std::size_t>(got));
  if (secret.size() > kMaxSecret) return Error(path + ": is longer than a password can be");
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return Error(path + ": is empty; it holds the password alone in its first line");
  for (char c : secret) {
    if (c == '\0' || c == '\n' || c == '\r') return Error(path + ": holds more than one line; it holds the password alone");
  }
  return secret;
}

}  // namespace postern::config
