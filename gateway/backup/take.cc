// One file from store to backup, or back: each octet is read once, and its sum is the sum of what was read.
#include "gateway/backup/take.h"

#include <algorithm>

#include "gateway/backup/folder.h"
#include "gateway/store/crc32c.h"

namespace postern::backup {
namespace {

constexpr std::uint64_t kPiece = 1 << 20;

// Reads the octets, and writes them where there is somewhere to.
Result<std::uint32_t> pass(store::Files& files, const std::string& from, std::uint64_t octets, store::File* to, const std::string& to_path) {
  auto source = files.open(from, false);
  if (!source.ok()) return failed(from, source.error);
  std::uint32_t sum = 0;
  for (std::uint64_t at = 0; at < octets;) {
    auto want = std::min(kPiece, octets - at);
    auto piece = source.value->read_at(at, want, store::Wait::disk);
    if (!piece.ok()) return failed(from, piece.error);
    if (piece.value.size() != want) {
      return Error(from + ": it has " + std::to_string(at + piece.value.size()) + " octets and should have " + std::to_string(octets));
    }
    sum = store::crc32c(sum, piece.value);
    if (to != nullptr) {
      const std::string_view pieces[] = {piece.value};
      if (auto error = to->write_at(pieces, at)) return failed(to_path, error);
    }
    at += want;
  }
  return sum;
}

// What says "not here" rather than "broken": another file system, one without links, someone else's file, too many names.
bool cannot_link(const std::error_code& error) {
  return error == std::errc::cross_device_link || error == std::errc::operation_not_permitted || error == std::errc::permission_denied ||
         error == std::errc::too_many_links || error == std::errc::operation_not_supported || error == std::errc::function_not_supported;
}

}  // namespace

Result<std::uint32_t> sum_of(store::Files& files, const std::string& path, std::uint64_t octets) {
  return pass(files, path, octets, nullptr, {});
}

Result<Taken> take(store::Files& files, const std::string& from, const std::string& to, std::uint64_t octets, How how) {
  Taken taken;
  if (how == How::link) {
    auto error = files.link(from, to);
    if (error && !cannot_link(error)) return failed(to, error);
    taken.linked = !error;
  }
  if (taken.linked) {
    auto file = files.open(to, false);
    if (!file.ok()) return failed(to, file.error);
    if (auto error = file.value->sync()) return failed(to, error);
    auto sum = sum_of(files, to, octets);
    if (!sum) return sum.error();
    taken.sum = *sum;
    return taken;
  }
  auto file = files.create(to);
  if (!file.ok()) return failed(to, file.error);
  auto sum = pass(files, from, octets, file.value.get(), to);
  if (!sum) return sum.error();
  if (auto error = file.value->sync()) return failed(to, error);
  taken.sum = *sum;
  return taken;
}

}  // namespace postern::backup
