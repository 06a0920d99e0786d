#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"

namespace postern::io {

// The octets of a message while it is received: in memory, above kInMemory in an unlinked file of
// `directory`, so that a thousand slow senders of large messages cost disk, not memory.
// Nothing is left behind by a crash, or an empty file where the file system knows no unnamed ones.
class Draft {
 public:
  static constexpr std::size_t kInMemory = 256 * 1024;

  explicit Draft(std::string directory) : directory_(std::move(directory)) {}

  // An Error says that the disk did not take it (452 to the client); the draft is then of no use.
  Status append(std::string_view octets);
  std::size_t size() const { return size_; }
  // The whole, memory or mapped file.  The draft is empty afterwards.
  Result<Octets> finish();

 private:
  Status spill();

  std::string directory_;
  std::string memory_;
  Fd file_;
  std::size_t size_ = 0;
};

}  // namespace postern::io
