#pragma once

#include <set>
#include <string>
#include <vector>

#include "gateway/backup/manifest.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/store/file.h"

namespace postern::backup {

// A backup in its folder.
struct Generation {
  std::string name;       // "20261130T234500Z": its moment
  Manifest manifest;
  std::string problem;    // why the manifest cannot be read; "": it can
};

// A folder of backups:
//   postern-backup             says that it is one
//   segments/<number>-<crc>.seg   of all backups, each once
//   <name>/manifest, <name>/rows/ of one backup
// What is being written is called `*.partial` and counts for nothing.
class Folder {
 public:
  // The folder is made if it is not there; one that holds other things is refused.  Nobody else writes into it meanwhile.
  static Result<Folder> open_to_write(store::Files& files, std::string path);
  static Result<Folder> open(store::Files& files, std::string path);

  const std::string& path() const { return path_; }
  std::string segments() const { return path_ + "/segments"; }
  std::string segment(const Segment& one) const { return segments() + "/" + one.file(); }
  std::string rows(const std::string& generation) const { return path_ + "/" + generation + "/rows"; }

  // Complete ones, oldest first.
  Result<std::vector<Generation>> generations() const;
  // The newest if `name` is "".
  Result<Generation> generation(const std::string& name) const;

  // --- after open_to_write()
  // What interrupted writers left.
  Status clear_partial();
  // All but the newest `keep`; gives the names.  One whose manifest cannot be read stays, and so do all segments then.
  Result<std::vector<std::string>> drop_old(std::size_t keep);

 private:
  Folder(store::Files& files, std::string path) : files_(&files), path_(std::move(path)) {}
  Status begin();
  Status remove_generation(const std::string& name);
  Status collect(const std::vector<Generation>& kept);

  store::Files* files_;
  std::string path_;
  io::Fd lock_;
};

// The whole file.  An Error names it.
Result<std::string> read_file(store::Files& files, const std::string& path);
// A new file, durable but for its name.
Status write_file(store::Files& files, const std::string& path, std::string_view text);
Error failed(const std::string& path, const std::error_code& error);

}  // namespace postern::backup
