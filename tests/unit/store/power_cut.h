#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

// What a power cut leaves of a folder: of each file what it held at its last sync, of each folder the names that it
// had at its own.  All else is forgotten; a file that was synced but whose folder was not is not there.
namespace postern::store::test {

// A folder as a power cut would leave it at one moment.
struct Image {
  std::vector<std::string> folders;   // paths below it, parents first
  std::map<std::string, std::shared_ptr<const std::string>> files;

  void restore(const std::string& to) const;   // into an empty folder
};

// While it lives it sees every fsync and fdatasync of this process on what lies in `folder`, RocksDB's own too.
// What lies there at the beginning counts as synced.  One at a time.
class PowerCut {
 public:
  explicit PowerCut(std::string folder);
  ~PowerCut();
  PowerCut(const PowerCut&) = delete;

  // One for the beginning, one for after each sync.
  std::vector<Image> images() const;
  std::size_t count() const;   // of them so far

  // fsync and fdatasync come here.
  static int sync(long call, int fd);

 private:
  struct Kept;
  void note_all(const std::string& path);
  void add(Image& image, const std::string& below, const Kept& folder) const;

  std::string folder_;
  std::map<unsigned long, Kept> kept_;   // by inode: names change
  std::vector<Image> images_;
};

}  // namespace postern::store::test
