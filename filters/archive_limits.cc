// Bounds on archives with libarchive: expanded size, number of entries, depth.  Compression that
// libarchive would hand to an external program (lrzip, lzop, grzip) is left out.
#include "filters/archive_limits.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace postern::filters {
namespace {

using namespace std::string_view_literals;
using Clock = std::chrono::steady_clock;

bool has_at(std::string_view octets, std::size_t offset, std::string_view magic) {
  return octets.size() >= offset + magic.size() && octets.substr(offset, magic.size()) == magic;
}

bool starts_like_archive(std::string_view octets) {
  static constexpr std::array kMagics = {"PK\x03\x04"sv, "PK\x05\x06"sv, "PK\x07\x08"sv, "7z\xbc\xaf\x27\x1c"sv, "Rar!\x1a\x07"sv,
                                         "\x1f\x8b"sv,   "\x1f\x9d"sv,   "BZh"sv,        "\xfd"
                                                                                         "7zXZ\0"sv,
                                         "\x28\xb5\x2f\xfd"sv, "MSCF"sv, "070701"sv, "070702"sv, "070707"sv, "\xc7\x71"sv, "\x71\xc7"sv,
                                         "xar!"sv, "!<arch>\n"sv, "LZIP"sv, "\x5d\0\0"sv};
  for (auto magic : kMagics) {
    if (octets.starts_with(magic)) return true;
  }
  return has_at(octets, 257, "ustar"sv) || has_at(octets, 2, "-lh"sv) || has_at(octets, 0x8001, "CD001"sv);
}

// A zip may stand behind anything (a self-extracting program): its directory is at the end.
bool ends_like_zip(std::string_view octets) {
  constexpr std::size_t kTail = 65535 + 22;
  std::string_view tail = octets.substr(octets.size() > kTail ? octets.size() - kTail : 0);
  return tail.find("PK\x05\x06"sv) != std::string_view::npos;
}

struct CloseArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, CloseArchive>;

Reader open_reader(std::string_view octets) {
  Reader reader(archive_read_new());
  if (!reader) return reader;
  archive* a = reader.get();
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_compress(a);
  archive_read_support_filter_lzma(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_lzip(a);
  archive_read_support_filter_zstd(a);
  archive_read_support_format_zip(a);
  archive_read_support_format_7zip(a);
  archive_read_support_format_rar(a);
  archive_read_support_format_rar5(a);
  archive_read_support_format_tar(a);
  archive_read_support_format_cab(a);
  archive_read_support_format_cpio(a);
  archive_read_support_format_iso9660(a);
  archive_read_support_format_lha(a);
  archive_read_support_format_ar(a);
  archive_read_support_format_xar(a);
  archive_read_support_format_empty(a);
  archive_read_support_format_raw(a);  // one compressed file without an archive around it
  if (archive_read_open_memory(a, octets.data(), octets.size()) != ARCHIVE_OK) reader.reset();
  return reader;
}

// One walk through an archive and what lies in it.
class Walk {
 public:
  explicit Walk(const ArchiveLimits& limits) : limits_(limits), end_(Clock::now() + limits.time) {}

  // False: a limit is exceeded, and problem() says which.
  bool archive_at(std::string_view octets, int depth);
  const std::string& problem() const { return problem_; }
  bool encrypted() const { return encrypted_; }

 private:
  bool entry(archive* a, archive_entry* entry, int depth);
  bool exceeded(std::string why) {
    problem_ = "limit exceeded: " + std::move(why);
    return false;
  }
  bool in_time() { return Clock::now() < end_ || exceeded("the archive takes too long to unpack"); }
  std::string size_text() const { return "the archive unpacks to more than " + std::to_string(limits_.expanded_octets >> 20) + " MiB"; }

  const ArchiveLimits& limits_;
  Clock::time_point end_;
  std::uint64_t expanded_ = 0;
  std::uint64_t entries_ = 0;
  bool encrypted_ = false;
  std::string problem_;
};

bool Walk::archive_at(std::string_view octets, int depth) {
  if (depth > limits_.depth) return exceeded("archives lie more than " + std::to_string(limits_.depth) + " deep in each other");
  Reader reader = open_reader(octets);
  if (!reader) return true;
  for (;;) {
    archive_entry* next = nullptr;
    int got = archive_read_next_header(reader.get(), &next);
    if (archive_read_has_encrypted_entries(reader.get()) > 0) encrypted_ = true;
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return true;  // the end, or damaged from here on
    if (++entries_ > limits_.entries) return exceeded("the archive has more than " + std::to_string(limits_.entries) + " entries");
    if (!in_time() || !entry(reader.get(), next, depth)) return false;
  }
}

bool Walk::entry(archive* a, archive_entry* entry, int depth) {
  if (archive_entry_is_encrypted(entry) != 0) {
    encrypted_ = true;
    return true;
  }
  // An honest bomb is refused by what it declares, before any work.
  if (archive_entry_size_is_set(entry) != 0 && archive_entry_size(entry) > 0 &&
      static_cast<std::uint64_t>(archive_entry_size(entry)) > limits_.expanded_octets - std::min(expanded_, limits_.expanded_octets)) {
    return exceeded(size_text());
  }
  constexpr std::size_t kChunk = 256 * 1024;  // holds every magic, that of ISO 9660 too
  std::vector<char> chunk(kChunk);
  std::string inner;
  bool nested = false;
  bool first = true;
  for (;;) {
    la_ssize_t got = archive_read_data(a, chunk.data(), chunk.size());
    if (got <= 0) break;  // its end, or damaged
    std::string_view octets(chunk.data(), static_cast<std::size_t>(got));
    expanded_ += octets.size();
    if (expanded_ > limits_.expanded_octets) return exceeded(size_text());
    if (!in_time()) return false;
    if (first) nested = starts_like_archive(octets);
    first = false;
    if (nested) inner += octets;
  }
  return !nested || archive_at(inner, depth + 1);
}

}  // namespace

ArchiveReport examine_archive(std::string_view octets, const ArchiveLimits& limits) {
  ArchiveReport report;
  if (!starts_like_archive(octets) && !ends_like_zip(octets)) return report;
  Walk walk(limits);
  bool within = walk.archive_at(octets, 1);
  report.state = within ? ArchiveReport::State::within : ArchiveReport::State::exceeded;
  report.problem = walk.problem();
  report.encrypted = walk.encrypted();
  return report;
}

}  // namespace postern::filters
