#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

// The thin layer between the store and the system's files.  Tests put one under the store that
// fails at a chosen step; nothing in the store writes past it but RocksDB.
namespace postern::store {

// A value, or why there is none.
template <class T>
struct IoResult {
  std::error_code error;
  T value{};
  bool ok() const { return !error; }
};

// Whether the disk, or what its owner may use of it, is full.
bool is_no_space(const std::error_code& error);

enum class Wait { disk, never };   // never: errc::resource_unavailable_try_again if not in the page cache

class File {
 public:
  virtual ~File() = default;

  // Writes all pieces, one behind the other, from `offset` on.  After an error any part of them
  // may be written.  Not durable before sync().
  std::error_code write_at(std::span<const std::string_view> pieces, std::uint64_t offset);
  // Exactly `length` octets from `offset`; fewer only at the end of the file.
  IoResult<std::string> read_at(std::uint64_t offset, std::size_t length, Wait wait) const;

  virtual std::error_code sync() = 0;   // fdatasync; after a failure never to be called again
  virtual std::error_code truncate(std::uint64_t size) = 0;
  virtual IoResult<std::uint64_t> size() const = 0;

 protected:
  // One system call each; may do less than asked.
  virtual IoResult<std::size_t> write_some(std::span<const iovec> pieces, std::uint64_t offset) = 0;
  virtual IoResult<std::size_t> read_some(char* to, std::size_t length, std::uint64_t offset, Wait wait) const = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  // A new file for reading and writing; an error if it is there.
  virtual IoResult<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual IoResult<std::unique_ptr<File>> open(const std::string& path, bool write) = 0;
  virtual std::error_code make_directory(const std::string& path) = 0;   // no error if it is there
  // Makes creations and removals in the directory durable.
  virtual std::error_code sync_directory(const std::string& path) = 0;
  virtual std::error_code remove(const std::string& path) = 0;
  // A second name for the same file; cross_device_link where the folders lie on different file systems.
  virtual std::error_code link(const std::string& from, const std::string& to) = 0;
  // Takes the place of what has the name; durable once both folders are synced.
  virtual std::error_code rename(const std::string& from, const std::string& to) = 0;
  virtual std::error_code remove_directory(const std::string& path) = 0;   // an empty one
  virtual IoResult<std::vector<std::string>> list(const std::string& path) = 0;   // names, unsorted
  virtual IoResult<std::uint64_t> free_octets(const std::string& path) = 0;
  struct State {
    std::uint64_t octets = 0;
    std::int64_t changed = 0;   // when it was last written, nanoseconds since 1970
  };
  virtual IoResult<State> state(const std::string& path) = 0;

  static Files& system();
};

// Removes a folder and the files in it; no error if it is not there.  Folders in it are an error.
std::error_code remove_folder(Files& files, const std::string& path);

}  // namespace postern::store
