// Files of the operating system: pwritev, preadv2, fdatasync.
#include "gateway/store/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "gateway/io/fd.h"

namespace postern::store {
namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

class SystemFile : public File {
 public:
  explicit SystemFile(io::Fd fd) : fd_(std::move(fd)) {}

  std::error_code sync() override { return ::fdatasync(fd_.get()) == 0 ? std::error_code{} : last_error(); }
  std::error_code truncate(std::uint64_t size) override {
    return ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0 ? std::error_code{} : last_error();
  }
  IoResult<std::uint64_t> size() const override {
    struct stat found {};
    if (::fstat(fd_.get(), &found) != 0) return {last_error(), 0};
    return {{}, static_cast<std::uint64_t>(found.st_size)};
  }

 protected:
  IoResult<std::size_t> write_some(std::span<const iovec> pieces, std::uint64_t offset) override {
    auto count = static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
    auto written = ::pwritev(fd_.get(), pieces.data(), count, static_cast<off_t>(offset));
    if (written < 0) return {last_error(), 0};
    return {{}, static_cast<std::size_t>(written)};
  }
  IoResult<std::size_t> read_some(char* to, std::size_t length, std::uint64_t offset, Wait wait) const override {
    iovec piece{.iov_base = to, .iov_len = length};
    auto got = ::preadv2(fd_.get(), &piece, 1, static_cast<off_t>(offset), wait == Wait::never ? RWF_NOWAIT : 0);
    if (got >= 0) return {{}, static_cast<std::size_t>(got)};
    // A file system without RWF_NOWAIT: let a worker read it.
    if (wait == Wait::never && errno == EOPNOTSUPP) errno = EAGAIN;
    return {last_error(), 0};
  }

 private:
  io::Fd fd_;
};

class SystemFiles : public Files {
 public:
  IoResult<std::unique_ptr<File>> create(const std::string& path) override {
    return opened(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  }
  IoResult<std::unique_ptr<File>> open(const std::string& path, bool write) override {
    return opened(::open(path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  }
  std::error_code make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return last_error();
  }
  std::error_code sync_directory(const std::string& path) override {
    io::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::fsync(fd.get()) != 0) return last_error();
    return {};
  }
  std::error_code remove(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code link(const std::string& from, const std::string& to) override {
    return ::link(from.c_str(), to.c_str()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? std::error_code{} : last_error();
  }
  std::error_code remove_directory(const std::string& path) override {
    return ::rmdir(path.c_str()) == 0 ? std::error_code{} : last_error();
  }
  IoResult<std::vector<std::string>> list(const std::string& path) override {
    IoResult<std::vector<std::string>> found;
    std::filesystem::directory_iterator entries(path, found.error);
    if (found.error) return found;
    for (const auto& entry : entries) found.value.push_back(entry.path().filename().string());
    return found;
  }
  IoResult<std::uint64_t> free_octets(const std::string& path) override {
    struct statvfs found {};
    if (::statvfs(path.c_str(), &found) != 0) return {last_error(), 0};
    return {{}, static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize};
  }
  IoResult<State> state(const std::string& path) override {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return {last_error(), {}};
    return {{}, {static_cast<std::uint64_t>(found.st_size), found.st_mtim.tv_sec * 1'000'000'000LL + found.st_mtim.tv_nsec}};
  }

 private:
  static IoResult<std::unique_ptr<File>> opened(int fd) {
    if (fd < 0) return {last_error(), nullptr};
    return {{}, std::make_unique<SystemFile>(io::Fd(fd))};
  }
};

}  // namespace

bool is_no_space(const std::error_code& error) {
  return error == std::errc::no_space_on_device || error == std::error_code(EDQUOT, std::generic_category());
}

std::error_code File::write_at(std::span<const std::string_view> pieces, std::uint64_t offset) {
  std::vector<iovec> left;
  left.reserve(pieces.size());
  for (auto piece : pieces) {
    if (!piece.empty()) left.push_back({.iov_base = const_cast<char*>(piece.data()), .iov_len = piece.size()});  // NOLINT
  }
  std::size_t next = 0;
  while (next < left.size()) {
    auto written = write_some(std::span(left).subspan(next), offset);
    if (written.error == std::errc::interrupted) continue;
    if (written.error) return written.error;
    if (written.value == 0) return std::make_error_code(std::errc::io_error);
    offset += written.value;
    std::size_t done = written.value;
    for (; next < left.size() && done >= left[next].iov_len; ++next) done -= left[next].iov_len;
    if (done == 0) continue;
    left[next].iov_base = static_cast<char*>(left[next].iov_base) + done;
    left[next].iov_len -= done;
  }
  return {};
}

IoResult<std::string> File::read_at(std::uint64_t offset, std::size_t length, Wait wait) const {
  IoResult<std::string> result;
  result.value.resize(length);
  std::size_t have = 0;
  while (have < length) {
    auto got = read_some(result.value.data() + have, length - have, offset + have, wait);
    if (got.error == std::errc::interrupted) continue;
    if (got.error) {
      result.error = got.error;
      result.value.clear();
      return result;
    }
    if (got.value == 0) break;
    have += got.value;
  }
  result.value.resize(have);
  return result;
}

std::error_code remove_folder(Files& files, const std::string& path) {
  auto names = files.list(path);
  if (names.error == std::errc::no_such_file_or_directory) return {};
  if (!names.ok()) return names.error;
  for (const auto& name : names.value) {
    if (auto error = files.remove(path + "/" + name)) return error;
  }
  return files.remove_directory(path);
}

Files& Files::system() {
  static SystemFiles files;
  return files;
}

}  // namespace postern::store
