// Receiving a message body with bounded memory.
#include "gateway/io/draft.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace postern::io {
namespace {

constexpr std::size_t kWriteAt = 64 * 1024;

Status write_whole(int fd, std::string_view octets) {
  while (!octets.empty()) {
    auto written = ::write(fd, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error(std::string("message file: ") + std::strerror(errno));
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// A file that nobody else can open and that is gone with its last descriptor.
Fd unnamed_file(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // Not all file systems can: NFS, CIFS and old overlays take a name, for a moment.  EISDIR: an old kernel.
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return Fd(fd);
  std::string path = directory + "/draft-XXXXXX";
  Fd named(::mkostemp(path.data(), O_CLOEXEC));
  if (named.valid()) ::unlink(path.c_str());
  return named;
}

}  // namespace

Status Draft::append(std::string_view octets) {
  size_ += octets.size();
  memory_ += octets;
  if (!file_.valid() && size_ <= kInMemory) return {};
  if (file_.valid() && memory_.size() < kWriteAt) return {};
  return spill();
}

Status Draft::spill() {
  bool first = !file_.valid();
  if (first) {
    file_ = unnamed_file(directory_);
    if (!file_.valid()) return Error(directory_ + ": cannot make a message file: " + std::strerror(errno));
  }
  auto written = write_whole(file_.get(), memory_);
  memory_.clear();
  if (first) memory_.shrink_to_fit();   // from here on a quarter of it will do
  return written;
}

Result<Octets> Draft::finish() {
  if (!file_.valid()) {
    size_ = 0;
    return Octets(std::exchange(memory_, {}));
  }
  auto written = spill();
  if (!written) return written.error();
  auto size = std::exchange(size_, 0);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (mapped == MAP_FAILED) return Error(std::string("message file: ") + std::strerror(errno));
  file_ = Fd();
  std::shared_ptr<const void> owner(mapped, [size](const void* at) { ::munmap(const_cast<void*>(at), size); });
  return Octets(owner, std::string_view(static_cast<const char*>(mapped), size));
}

}  // namespace postern::io
