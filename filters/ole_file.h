#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A reader of compound files (MS-CFB): a small file system with sectors and chains, in which everything may loop.
namespace postern::filters {

constexpr std::size_t kMaxOleEntries = 10'000;    // directory entries; a file of the largest documents has some hundred
constexpr std::size_t kMaxOleSectors = 4 << 20;   // of the allocation table: 2 GiB of content

class OleFile {
 public:
  enum class Kind : std::uint8_t { storage, stream, root };
  struct Entry {
    std::string name;        // UTF-8; control characters as they are ("\x01Ole10Native")
    std::string path;        // "/Macros/VBA/dir"; "" for the root; an entry that no tree leads to: "?/NAME"
    Kind kind = Kind::stream;
    std::string clsid;       // 32 hex digits in the order of the text form, "" when zero
    std::uint32_t start = 0;
    std::uint64_t size = 0;
  };

  // `octets` must outlive the file.  nullopt: no compound file at all.  Any damage behind the header leaves a file with
  // what could be read and a problem().  Memory is bounded by the constants above and four octets for each 512 of `octets`.
  static std::optional<OleFile> open(std::string_view octets);

  // The root is first when there is one; at most kMaxOleEntries.
  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(std::string_view path) const;   // ASCII case-blind
  // At most `limit` octets; fewer than entry.size when the chain ends before or loops, which damaged() then says.
  std::string stream(const Entry& entry, std::size_t limit, bool* damaged = nullptr) const;
  // The first damage, in words; "" when the file is sound.
  const std::string& problem() const { return problem_; }

 private:
  OleFile() = default;
  void read_tables(std::uint32_t first_difat, std::uint32_t difat_sectors);
  void read_mini_table(std::uint32_t first);
  void read_directory(std::uint32_t first);
  void walk_tree(const std::string& directory);
  std::string_view sector(std::uint32_t number) const;
  void complain(const char* what) {
    if (problem_.empty()) problem_ = what;
  }
  // Content of a chain of ordinary sectors, at most `limit` octets; `looped` when it ends in itself or in nothing.
  std::string chain(std::uint32_t first, std::uint64_t limit, bool& broken) const;

  std::string_view octets_;
  std::size_t sector_size_ = 512;
  std::size_t mini_size_ = 64;
  std::uint64_t mini_cutoff_ = 4096;
  std::vector<std::uint32_t> table_;        // FAT
  std::vector<std::uint32_t> mini_table_;
  std::string mini_stream_;                 // the root's stream, in which small streams lie
  std::vector<Entry> entries_;
  std::string problem_;
};

}  // namespace postern::filters
