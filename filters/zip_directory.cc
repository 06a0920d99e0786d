// The three places that describe a file in a zip (local header, data descriptor, central directory) need not agree, and
// programs believe different ones.  What differs is told in words.
#include "filters/zip_directory.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "filters/little_endian.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr auto kLocal = "PK\x03\x04"sv;
constexpr auto kCentral = "PK\x01\x02"sv;
constexpr auto kEnd = "PK\x05\x06"sv;
constexpr auto kEnd64 = "PK\x06\x06"sv;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;

struct End {
  std::size_t at = 0;
  std::uint64_t entries = 0;
  std::uint64_t size = 0;      // of the directory
  std::uint64_t offset = 0;    // as written
};

class Reader {
 public:
  explicit Reader(std::string_view octets) : octets_(octets) {}

  ZipDirectory run() {
    auto end = find_end();
    if (!end) {
      if (octets_.starts_with(kLocal)) damage("the zip has no directory");
      return std::move(out_);
    }
    out_.found = true;
    read_entries(*end);
    check_layout(*end);
    return std::move(out_);
  }

 private:
  void confuse(std::string what) {
    if (out_.confusion.empty()) out_.confusion = std::move(what);
  }
  void damage(const char* what) {
    if (out_.damage.empty()) out_.damage = what;
  }

  // 4.3.16: the last end record whose comment reaches the end; else the last one.
  std::optional<End> find_end();
  void read_end64(End& end) const;
  void read_entries(const End& end);
  void read_entry(std::string_view record, std::string_view raw_name, std::string_view extra);
  void check_local(ZipEntry& entry, std::string_view raw_name, std::uint64_t offset);
  void check_layout(const End& end);

  std::string_view octets_;
  std::uint64_t shift_ = 0;                     // octets that stand before the zip
  std::uint64_t directory_ = 0;
  ZipDirectory out_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;   // local header to the end of the content
  std::unordered_set<std::string> names_;
};

std::optional<End> Reader::find_end() {
  if (octets_.size() < kEndSize) return std::nullopt;
  const std::size_t first = octets_.size() - std::min<std::size_t>(octets_.size(), 65535 + kEndSize);
  std::optional<std::size_t> exact, any;
  std::size_t records = 0;
  for (auto at = octets_.rfind(kEnd); at != std::string_view::npos && at >= first; at = at == 0 ? std::string_view::npos : octets_.rfind(kEnd, at - 1)) {
    if (octets_.size() - at < kEndSize) continue;
    ++records;
    std::size_t behind = octets_.size() - at - kEndSize;
    std::size_t comment = u16_at(octets_, at + 20);
    if (!any) any = at;
    if (comment == behind && exact) confuse("an end record stands in the comment of another");
    if (comment == behind && !exact) exact = at;
    if (records > 64) break;
  }
  if (!any) return std::nullopt;
  std::size_t at = exact.value_or(*any);
  if (exact && *exact != *any) confuse("an end record stands in the comment of another");
  if (!exact && octets_.size() - at - kEndSize > u16_at(octets_, at + 20)) confuse("octets behind the end of the zip");
  if (u16_at(octets_, at + 4) != 0 && u16_at(octets_, at + 4) != 0xffff) damage("a zip in several pieces");
  End end{at, u16_at(octets_, at + 10), u32_at(octets_, at + 12), u32_at(octets_, at + 16)};
  if (u16_at(octets_, at + 8) != u16_at(octets_, at + 10)) confuse("the two numbers of entries differ");
  read_end64(end);
  return end;
}

// 4.3.15: the locator stands right before the end record.
void Reader::read_end64(End& end) const {
  if (end.at < 20 || slice(octets_, end.at - 20, 4) != "PK\x06\x07"sv) return;
  std::uint64_t at = u64_at(octets_, end.at - 12);
  if (slice(octets_, at, 4) != kEnd64) return;
  if (end.entries == 0xffff) end.entries = u64_at(octets_, static_cast<std::size_t>(at) + 32);
  if (end.size == 0xffffffff) end.size = u64_at(octets_, static_cast<std::size_t>(at) + 40);
  if (end.offset == 0xffffffff) end.offset = u64_at(octets_, static_cast<std::size_t>(at) + 48);
}

void Reader::read_entries(const End& end) {
  // Where the directory should begin counted from the end record, and where it says: the difference stands before the zip.
  std::uint64_t real = end.size <= end.at ? end.at - end.size : end.offset;
  if (slice(octets_, real, 4) != kCentral && end.entries != 0) real = end.offset;
  if (end.at >= 56 + 20 && slice(octets_, end.at - 20, 4) == "PK\x06\x07"sv && slice(octets_, end.offset, 4) == kCentral) real = end.offset;
  if (slice(octets_, real, 4) == kCentral && slice(octets_, end.offset, 4) == kCentral && real != end.offset) confuse("two directories");
  shift_ = real > end.offset ? real - end.offset : 0;
  directory_ = real;
  std::uint64_t at = real;
  std::uint64_t seen = 0;
  while (slice(octets_, at, 4) == kCentral && at < octets_.size()) {
    std::string_view record = slice(octets_, at, kCentralSize);
    if (record.size() < kCentralSize) break;
    ++seen;
    if (seen > kMaxZipEntries) {
      out_.truncated = true;
      return;
    }
    std::size_t name_size = u16_at(record, 28), extra_size = u16_at(record, 30), comment_size = u16_at(record, 32);
    read_entry(record, slice(octets_, at + kCentralSize, name_size), slice(octets_, at + kCentralSize + name_size, extra_size));
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  if (seen == 0 && end.entries != 0) {
    damage("the directory is not where the zip says");
    out_.names_encrypted = slice(octets_, real, 4) == "PK\x06\x08"sv;   // 4.3.11: an encrypted directory begins with its own record
  } else if (seen != end.entries && (end.entries & 0xffff) != (seen & 0xffff)) {
    confuse("the directory has " + std::to_string(seen) + " entries and says " + std::to_string(end.entries));
  }
}

void Reader::read_entry(std::string_view record, std::string_view raw_name, std::string_view extra) {
  ZipEntry entry;
  entry.flags = u16_at(record, 8);
  entry.method = u16_at(record, 10);
  entry.crc = u32_at(record, 16);
  entry.packed = u32_at(record, 20);
  entry.size = u32_at(record, 24);
  std::uint64_t offset = u32_at(record, 42);
  if (record[5] == 3) entry.mode = u32_at(record, 38) >> 16;   // made on Unix
  if ((entry.flags & 0x2000) != 0) out_.names_encrypted = true;
  std::string_view shown = raw_name;
  std::size_t blocks = 0;
  for (std::size_t at = 0; at + 4 <= extra.size() && blocks < 64; ++blocks) {
    std::uint16_t id = u16_at(extra, at);
    std::string_view block = slice(extra, at + 4, u16_at(extra, at + 2));
    at += 4 + std::size_t{u16_at(extra, at + 2)};
    if (id == 0x0001) {   // 4.5.3: only what is all ones above, in this order
      std::size_t field = 0;
      for (std::uint64_t* value : {&entry.size, &entry.packed, &offset}) {
        if (*value != 0xffffffff || field + 8 > block.size()) continue;
        *value = u64_at(block, field);
        field += 8;
      }
    } else if (id == 0x7075 && block.size() > 5) {   // 4.6.9: a second name, in UTF-8, which not all programs read
      if (block.substr(5) != raw_name && mail::to_utf8(raw_name, "") != mail::to_utf8(block.substr(5), "utf-8")) shown = block.substr(5);
    }
  }
  entry.name = mail::to_utf8(shown, (entry.flags & 0x800) != 0 || shown.data() != raw_name.data() ? "utf-8" : "");
  if (raw_name.find('\0') != std::string_view::npos) confuse("a name with a NUL, behind which some programs do not read");
  if (!names_.insert(entry.name).second && !entry.directory()) confuse("two entries of the same name: " + entry.name);
  check_local(entry, raw_name, offset + shift_);
  out_.entries.push_back(std::move(entry));
}

void Reader::check_local(ZipEntry& entry, std::string_view raw_name, std::uint64_t offset) {
  std::string_view local = slice(octets_, offset, kLocalSize);
  if (local.size() < kLocalSize || !local.starts_with(kLocal)) {
    damage("an entry's local header is not where the directory says");
    return;
  }
  std::size_t name_size = u16_at(local, 26), extra_size = u16_at(local, 28);
  entry.content = offset + kLocalSize + name_size + extra_size;
  entry.readable = entry.content <= octets_.size() && entry.packed <= octets_.size() - entry.content;
  if (!entry.readable) damage("an entry reaches behind the end of the zip");
  ranges_.emplace_back(offset, entry.content + std::min<std::uint64_t>(entry.packed, octets_.size()));
  std::uint16_t flags = u16_at(local, 6);
  const std::string& called = entry.name;
  if ((flags & 0x2000) != 0) return;   // 4.4.4: masked on purpose
  if (slice(octets_, offset + kLocalSize, name_size) != raw_name) {
    return confuse("an entry has two names: " + called + " and " + mail::to_utf8(slice(octets_, offset + kLocalSize, std::min<std::size_t>(name_size, 200)), ""));
  }
  if (u16_at(local, 8) != entry.method) confuse("an entry's packing differs in its two headers: " + called);
  if (((flags ^ entry.flags) & 1) != 0) confuse("an entry is encrypted in one of its headers only: " + called);
  if ((flags & 8) != 0) return;        // the sizes stand behind the content
  std::uint32_t packed = u32_at(local, 18), size = u32_at(local, 22);
  bool same = (packed == entry.packed || packed == 0xffffffff) && (size == entry.size || size == 0xffffffff) && u32_at(local, 14) == entry.crc;
  if (!same) confuse("an entry's size or checksum differs in its two headers: " + called);
}

void Reader::check_layout(const End&) {
  std::sort(ranges_.begin(), ranges_.end());
  out_.prefix = ranges_.empty() ? directory_ : ranges_.front().first;
  if (octets_.starts_with(kLocal) && out_.prefix != 0 && !ranges_.empty()) confuse("a zip stands before the zip");
  std::uint64_t behind = ranges_.empty() ? 0 : ranges_.front().first;
  for (auto [begin, end] : ranges_) {
    if (begin < behind) out_.overlapping = true;
    // Between entries only a data descriptor (4.3.9, up to 24 octets) or padding stands; a local header there is an entry that the directory hides.
    if (begin > behind) {
      auto hidden = slice(octets_, behind, begin - behind).find(kLocal);
      if (hidden != std::string_view::npos) confuse("an entry stands in no directory");
    }
    behind = std::max(behind, end);
  }
  if (!ranges_.empty() && directory_ > behind && slice(octets_, behind, directory_ - behind).find(kLocal) != std::string_view::npos) {
    confuse("an entry stands in no directory");
  }
}

}  // namespace

ZipDirectory zip_directory(std::string_view octets) { return Reader(octets).run(); }

Inflated zip_content(std::string_view octets, const ZipEntry& entry, std::size_t limit) {
  Inflated out;
  if (!entry.readable || entry.encrypted()) return out;
  std::string_view packed = slice(octets, entry.content, entry.packed);
  if (entry.method == 8) return inflate(packed, Deflated::raw, limit);
  if (entry.method != 0) return out;
  out.octets = packed.substr(0, limit);
  out.used = out.octets.size();
  out.state = packed.size() > limit ? Inflated::State::cut : Inflated::State::whole;
  return out;
}

}  // namespace postern::filters
