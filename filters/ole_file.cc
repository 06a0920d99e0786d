// MS-CFB 2.2 to 2.6.  Every chain is followed at most as many steps as the file has sectors, and the tree of names is
// walked with a mark on each entry, so loops end and are told.
#include "filters/ole_file.h"

#include <algorithm>

#include "filters/little_endian.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kLastSector = 0xfffffffa;   // above: marks
constexpr std::uint32_t kNone = 0xffffffff;         // no sibling, no child
constexpr std::size_t kEntrySize = 128;
constexpr std::size_t kMaxMiniStream = 64 << 20;
constexpr std::size_t kMaxPath = 512;

std::string name_of(std::string_view entry) {
  std::size_t length = std::min<std::size_t>(u16_at(entry, 64), 64);
  std::string out;
  for (std::size_t at = 0; at + 2 < length + 1 && at < 62; at += 2) {
    std::uint16_t c = u16_at(entry, at);
    if (c == 0) break;
    append_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);   // half of a pair alone, as names have it, says nothing
  }
  return out;
}

std::string clsid_of(std::string_view entry) {
  std::string_view raw = entry.substr(80, 16);
  if (raw == "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv) return {};
  std::string ordered;
  for (std::size_t i : {3U, 2U, 1U, 0U, 5U, 4U, 7U, 6U, 8U, 9U, 10U, 11U, 12U, 13U, 14U, 15U}) ordered += raw[i];
  return hex(ordered);
}

void append_numbers(std::string_view sector, std::vector<std::uint32_t>& out) {
  for (std::size_t at = 0; at + 4 <= sector.size(); at += 4) out.push_back(u32_at(sector, at));
}

}  // namespace

std::optional<OleFile> OleFile::open(std::string_view octets) {
  if (octets.size() < 512 || !octets.starts_with("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv)) return std::nullopt;
  OleFile file;
  file.octets_ = octets;
  std::uint16_t shift = u16_at(octets, 30);
  std::uint16_t mini_shift = u16_at(octets, 32);
  if ((shift != 9 && shift != 12) || mini_shift != 6) file.complain("sector sizes that there are not");
  file.sector_size_ = shift == 12 ? 4096 : 512;
  file.mini_cutoff_ = u32_at(octets, 56);
  if (file.mini_cutoff_ != 4096) {
    file.complain("a cutoff that there is not");
    file.mini_cutoff_ = 4096;
  }
  file.read_tables(u32_at(octets, 68), u32_at(octets, 72));
  file.read_directory(u32_at(octets, 48));
  file.read_mini_table(u32_at(octets, 60));
  return file;
}

std::string_view OleFile::sector(std::uint32_t number) const {
  if (number > kLastSector) return {};
  return slice(octets_, (static_cast<std::uint64_t>(number) + 1) * sector_size_, sector_size_);
}

void OleFile::read_tables(std::uint32_t first_difat, std::uint32_t difat_sectors) {
  std::vector<std::uint32_t> sectors;
  for (std::size_t i = 0; i < 109; ++i) sectors.push_back(u32_at(octets_, 76 + i * 4));
  std::size_t possible = octets_.size() / sector_size_ + 1;
  std::size_t numbers = sector_size_ / 4 - 1;
  std::size_t steps = 0;
  // At most as many table sectors as the file could have sectors to put into them.
  const std::size_t enough = std::min(possible, kMaxOleSectors) / (sector_size_ / 4) + 2;
  for (std::uint32_t next = first_difat; next <= kLastSector && sectors.size() < enough + 109; ++steps) {
    std::string_view difat = sector(next);
    if (difat.size() < sector_size_ || steps > possible) {
      complain(steps > possible ? "the sector table loops" : "the sector table leads out of the file");
      break;
    }
    for (std::size_t i = 0; i < numbers; ++i) sectors.push_back(u32_at(difat, i * 4));
    next = u32_at(difat, numbers * 4);
  }
  if (steps > difat_sectors) complain("the sector table is longer than it says");
  for (std::uint32_t number : sectors) {
    if (number > kLastSector) continue;
    if (table_.size() >= std::min(possible + sector_size_, kMaxOleSectors)) break;
    std::string_view fat = sector(number);
    if (fat.empty()) complain("a part of the sector table lies outside of the file");
    append_numbers(fat, table_);
  }
}

std::string OleFile::chain(std::uint32_t first, std::uint64_t limit, bool& broken) const {
  std::string out;
  std::uint32_t next = first;
  // No sector twice: with more octets than the file has, the chain loops.
  while (out.size() < limit) {
    if (next > kLastSector || next >= table_.size()) {
      broken = broken || next != 0xfffffffe;
      break;
    }
    std::string_view content = sector(next);
    if (content.empty() || out.size() > octets_.size()) {
      broken = true;
      break;
    }
    out += content.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(content.size(), limit - out.size())));
    next = table_[next];
  }
  return out;
}

void OleFile::read_mini_table(std::uint32_t first) {
  if (entries_.empty() || entries_.front().kind != Kind::root) return;
  bool broken = false;
  if (entries_.front().size != 0) {
    mini_stream_ = chain(entries_.front().start, std::min<std::uint64_t>(entries_.front().size, kMaxMiniStream), broken);
    std::string raw = chain(first, mini_stream_.size() / mini_size_ * 4 + sector_size_, broken);
    append_numbers(raw, mini_table_);
  }
}

void OleFile::read_directory(std::uint32_t first) {
  bool broken = false;
  std::string directory = chain(first, kMaxOleEntries * kEntrySize, broken);
  if (broken) complain("the directory's chain is broken or loops");
  if (directory.size() < kEntrySize) return complain("there is no directory");
  if (directory.size() >= kMaxOleEntries * kEntrySize) complain("the directory has more entries than are read");
  for (std::size_t at = 0; at + kEntrySize <= directory.size(); at += kEntrySize) {
    std::string_view raw = std::string_view(directory).substr(at, kEntrySize);
    auto type = static_cast<unsigned char>(raw[66]);
    Entry entry;
    entry.name = name_of(raw);
    entry.kind = type == 5 ? Kind::root : type == 1 ? Kind::storage : Kind::stream;
    entry.start = u32_at(raw, 116);
    // Version 3 files may leave rubbish in the high half, MS-CFB 2.6.3.
    entry.size = sector_size_ == 512 ? u32_at(raw, 120) : u64_at(raw, 120);
    if (type == 1 || type == 5) entry.clsid = clsid_of(raw);
    if (type == 0) entry.name.clear();
    entries_.push_back(std::move(entry));
  }
  walk_tree(directory);
  // Free entries have no name and no path.
  std::erase_if(entries_, [](const Entry& entry) { return entry.path.empty() && entry.kind != Kind::root; });
}

void OleFile::walk_tree(const std::string& directory) {
  struct Step {
    std::uint32_t index;
    std::uint32_t parent;
  };
  std::vector<bool> seen(entries_.size(), false);
  auto raw = [&directory](std::uint32_t index) { return std::string_view(directory).substr(index * kEntrySize, kEntrySize); };
  seen[0] = true;
  if (entries_[0].kind != Kind::root) complain("the directory does not begin with its root");
  std::vector<Step> todo{{u32_at(raw(0), 76), 0}};
  while (!todo.empty()) {
    Step step = todo.back();
    todo.pop_back();
    if (step.index == kNone) continue;
    if (step.index >= entries_.size() || seen[step.index]) {
      complain(step.index >= entries_.size() ? "the directory leads out of itself" : "the directory loops");
      continue;
    }
    seen[step.index] = true;
    Entry& entry = entries_[step.index];
    std::string_view parent_path = entries_[step.parent].path;
    if (entry.name.empty()) complain("the directory names an entry that is free");
    entry.path = std::string(parent_path.substr(0, kMaxPath)) + "/" + entry.name;
    std::string_view octets = raw(step.index);
    todo.push_back({u32_at(octets, 68), step.parent});
    todo.push_back({u32_at(octets, 72), step.parent});
    if (entry.kind == Kind::storage) todo.push_back({u32_at(octets, 76), step.index});
  }
  // What no tree leads to may still be found by a program that scans for it.
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    if (!seen[i] && !entries_[i].name.empty()) entries_[i].path = "?/" + entries_[i].name;
  }
}

const OleFile::Entry* OleFile::find(std::string_view path) const {
  for (const Entry& entry : entries_) {
    if (iequals(entry.path, path)) return &entry;
  }
  return nullptr;
}

std::string OleFile::stream(const Entry& entry, std::size_t limit, bool* damaged) const {
  std::uint64_t wanted = std::min<std::uint64_t>({entry.size, limit, octets_.size()});
  bool broken = false;
  std::string out;
  if (entry.size >= mini_cutoff_ || entry.kind == Kind::root) {
    out = chain(entry.start, wanted, broken);
  } else {
    for (std::uint32_t next = entry.start; out.size() < wanted;) {
      std::string_view content = next > kLastSector ? std::string_view{} : slice(mini_stream_, static_cast<std::uint64_t>(next) * mini_size_, mini_size_);
      if (content.empty()) break;
      out += content.substr(0, static_cast<std::size_t>(wanted) - out.size());
      next = next < mini_table_.size() ? mini_table_[next] : kNone;
    }
  }
  if (damaged != nullptr) *damaged = broken || out.size() < wanted || entry.size > octets_.size();
  return out;
}

}  // namespace postern::filters
