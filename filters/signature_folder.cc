// Looking at the signature folder.  A look at a handful of files every few seconds costs nothing and,
// unlike inotify, sees a folder that is replaced, mounted or made later.
#include "filters/signature_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "filters/scanner_engine.h"
#include "gateway/base/text.h"

namespace postern::filters {

std::string signature_fingerprint(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  std::filesystem::directory_iterator at(folder, failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) {
    std::string file = at->path().filename().string();
    if (!is_signature_file(file)) continue;
    struct stat status {};
    if (::stat(at->path().c_str(), &status) != 0) continue;
    files.push_back(file + " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                    std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_ino));
  }
  std::sort(files.begin(), files.end());
  return join(files, "\n");
}

}  // namespace postern::filters
