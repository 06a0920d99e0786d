// Takes the place of fsync and fdatasync in this program, for the libraries that it uses as well.
#include "tests/unit/store/power_cut.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>

#include "gateway/io/fd.h"

namespace postern::store::test {

// A file or a folder at its last sync.
struct PowerCut::Kept {
  io::Fd hold;   // or another file would get its number once it is unlinked
  std::shared_ptr<const std::string> content;
  std::map<std::string, unsigned long> names;   // of a folder, with their inodes
  bool is_folder = false;

  static Kept of(const std::string& path);
};

namespace {

std::atomic<PowerCut*> watching = nullptr;
std::mutex mutex;   // held while a sync is noted

struct stat state_of(const std::string& path) {
  struct stat found {};
  ::stat(path.c_str(), &found);
  return found;
}

std::string path_of(int fd) {
  char path[PATH_MAX];
  auto length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : std::string();
}

}  // namespace

PowerCut::Kept PowerCut::Kept::of(const std::string& path) {
  Kept kept;
  kept.hold = io::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  kept.is_folder = S_ISDIR(state_of(path).st_mode);
  if (kept.is_folder) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      auto inode = state_of(entry.path().string()).st_ino;
      if (inode != 0) kept.names[entry.path().filename().string()] = inode;
    }
  } else {
    std::ifstream file(path, std::ios::binary);
    kept.content = std::make_shared<const std::string>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return kept;
}

PowerCut::PowerCut(std::string folder) : folder_(std::move(folder)) {
  note_all(folder_);
  add(images_.emplace_back(), "", kept_.at(state_of(folder_).st_ino));
  watching = this;
}

PowerCut::~PowerCut() {
  std::lock_guard lock(mutex);
  watching = nullptr;
}

void PowerCut::note_all(const std::string& path) {
  kept_[state_of(path).st_ino] = Kept::of(path);
  if (!std::filesystem::is_directory(path)) return;
  for (const auto& entry : std::filesystem::directory_iterator(path)) note_all(entry.path().string());
}

void PowerCut::add(Image& image, const std::string& below, const Kept& folder) const {
  for (const auto& [name, inode] : folder.names) {
    auto found = kept_.find(inode);
    if (found == kept_.end()) {   // its name is there and nothing else
      auto is_folder = std::filesystem::is_directory(folder_ + below + "/" + name);
      if (is_folder) image.folders.push_back(below + "/" + name);
      else image.files[below + "/" + name] = std::make_shared<const std::string>();
    } else if (found->second.is_folder) {
      image.folders.push_back(below + "/" + name);
      add(image, below + "/" + name, found->second);
    } else {
      image.files[below + "/" + name] = found->second.content;
    }
  }
}

int PowerCut::sync(long call, int fd) {
  auto really = [&] { return static_cast<int>(::syscall(call, fd)); };
  if (watching == nullptr) return really();
  std::lock_guard lock(mutex);
  auto* cut = watching.load();
  if (cut == nullptr || !(path_of(fd) + "/").starts_with(cut->folder_ + "/")) return really();
  // By its number: its name may be gone.  What is there now is what the sync is for.
  auto path = "/proc/self/fd/" + std::to_string(fd);
  auto inode = state_of(path).st_ino;
  auto kept = Kept::of(path);
  auto result = really();
  if (result != 0) return result;
  cut->kept_[inode] = std::move(kept);
  cut->add(cut->images_.emplace_back(), "", cut->kept_.at(state_of(cut->folder_).st_ino));
  return 0;
}

std::vector<Image> PowerCut::images() const {
  std::lock_guard lock(mutex);
  return images_;
}

std::size_t PowerCut::count() const {
  std::lock_guard lock(mutex);
  return images_.size();
}

void Image::restore(const std::string& to) const {
  for (const auto& folder : folders) std::filesystem::create_directory(to + folder);
  for (const auto& [path, content] : files) {
    std::ofstream file(to + path, std::ios::binary);
    file << *content;
    if (!file.flush()) throw std::runtime_error(to + path + " cannot be written");
  }
}

}  // namespace postern::store::test

extern "C" int fsync(int fd) { return postern::store::test::PowerCut::sync(SYS_fsync, fd); }
extern "C" int fdatasync(int fd) { return postern::store::test::PowerCut::sync(SYS_fdatasync, fd); }
