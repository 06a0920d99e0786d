// A folder of backups: which there are, and how old ones go without taking a newer one's segments along.
#include "gateway/backup/folder.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/store/lock_file.h"

namespace postern::backup {
namespace {

constexpr std::string_view kMark = "postern-backup";
constexpr std::string_view kMarkText = "A folder of backups of Postern, see postern(1).  Made by \"postern backup\".\n";
constexpr std::string_view kPartial = ".partial";
constexpr std::uint64_t kMaxFile = 1ULL << 30;   // of a manifest

// "20261130T234500Z", and "-2" behind it for the second of the same second.
bool is_generation(std::string_view name) {
  if (name.size() < 16 || name[8] != 'T' || name[15] != 'Z') return false;
  for (std::size_t i = 0; i < 15; ++i) {
    if (i != 8 && !is_digit(name[i])) return false;
  }
  return name.size() == 16 || (name[16] == '-' && parse_number(name.substr(17)));
}

bool is_segment(std::string_view name) { return name.size() == 29 && name[16] == '-' && name.ends_with(".seg"); }

}  // namespace

Error failed(const std::string& path, const std::error_code& error) { return Error(path + ": " + error.message()); }

Result<std::string> read_file(store::Files& files, const std::string& path) {
  auto file = files.open(path, false);
  if (!file.ok()) return failed(path, file.error);
  auto size = file.value->size();
  if (!size.ok()) return failed(path, size.error);
  if (size.value > kMaxFile) return Error(path + ": too large");
  auto text = file.value->read_at(0, size.value, store::Wait::disk);
  if (!text.ok()) return failed(path, text.error);
  return std::move(text.value);
}

Status write_file(store::Files& files, const std::string& path, std::string_view text) {
  auto file = files.create(path);
  if (!file.ok()) return failed(path, file.error);
  const std::string_view pieces[] = {text};
  auto error = file.value->write_at(pieces, 0);
  if (!error) error = file.value->sync();
  if (error) return failed(path, error);
  return {};
}

Status Folder::begin() {
  auto names = files_->list(path_);
  if (!names.ok()) return failed(path_, names.error);
  const auto& there = names.value;
  auto has = [&](std::string_view name) { return std::find(there.begin(), there.end(), name) != there.end(); };
  if (has(kMark)) return {};
  // The mark comes last: of a beginning that was interrupted there may be this much.
  bool ours = std::all_of(there.begin(), there.end(), [](const std::string& name) {
    return name == "segments" || name == "lock" || name == std::string(kMark) + std::string(kPartial);
  });
  if (!ours) return Error(path_ + " holds other things than backups of Postern: name an empty folder, or one that is not there yet");
  auto mark = path_ + "/" + std::string(kMark);
  auto partial = mark + std::string(kPartial);
  if (has(std::string(kMark) + std::string(kPartial))) {
    if (auto error = files_->remove(partial)) return failed(partial, error);
  }
  if (auto error = files_->make_directory(segments())) return failed(segments(), error);
  if (auto written = write_file(*files_, partial, kMarkText); !written) return written;
  auto error = files_->rename(partial, mark);
  if (!error) error = files_->sync_directory(path_);
  if (error) return failed(path_, error);
  return {};
}

Result<Folder> Folder::open_to_write(store::Files& files, std::string path) {
  Folder folder(files, std::move(path));
  if (auto error = files.make_directory(folder.path_)) return failed(folder.path_, error);
  // Before the lock: a folder of somebody else's is not to get a file of ours.
  auto names = files.list(folder.path_);
  if (!names.ok()) return failed(folder.path_, names.error);
  if (auto begun = folder.begin(); !begun) return begun.error();
  auto lock = store::hold_lock_file(folder.path_ + "/lock");
  if (!lock) return Error(folder.path_ + ": " + lock.error().text);
  folder.lock_ = std::move(*lock);
  return folder;
}

Result<Folder> Folder::open(store::Files& files, std::string path) {
  Folder folder(files, std::move(path));
  auto mark = files.open(folder.path_ + "/" + std::string(kMark), false);
  if (mark.error == std::errc::no_such_file_or_directory) return Error(folder.path_ + " is no folder of backups: \"postern backup\" makes them");
  if (!mark.ok()) return failed(folder.path_, mark.error);
  return folder;
}

Result<std::vector<Generation>> Folder::generations() const {
  auto names = files_->list(path_);
  if (!names.ok()) return failed(path_, names.error);
  std::sort(names.value.begin(), names.value.end());
  std::vector<Generation> out;
  for (const auto& name : names.value) {
    if (!is_generation(name)) continue;
    auto& generation = out.emplace_back();
    generation.name = name;
    auto path = path_ + "/" + name + "/manifest";
    auto text = read_file(*files_, path);
    auto manifest = text ? decode_manifest(*text) : Result<Manifest>(text.error());
    if (manifest) generation.manifest = std::move(*manifest);
    else generation.problem = text ? path + ": " + manifest.error().text : manifest.error().text;
  }
  return out;
}

Result<Generation> Folder::generation(const std::string& name) const {
  auto all = generations();
  if (!all) return all.error();
  if (all->empty()) return Error(path_ + ": there is no complete backup in it");
  for (auto it = all->rbegin(); it != all->rend(); ++it) {
    if (!name.empty() && it->name != name) continue;
    if (!it->problem.empty()) return Error(it->problem);
    return std::move(*it);
  }
  return Error(path_ + ": there is no backup " + name + " in it; --list shows them");
}

Status Folder::clear_partial() {
  auto names = files_->list(path_);
  if (!names.ok()) return failed(path_, names.error);
  for (const auto& name : names.value) {
    if (!name.ends_with(kPartial)) continue;
    auto path = path_ + "/" + name;
    auto error = store::remove_folder(*files_, path + "/rows");
    if (!error) error = store::remove_folder(*files_, path);
    if (error) return failed(path, error);
  }
  auto parts = files_->list(segments());
  if (!parts.ok()) return failed(segments(), parts.error);
  for (const auto& name : parts.value) {
    if (!name.ends_with(kPartial)) continue;
    if (auto error = files_->remove(segments() + "/" + name)) return failed(segments() + "/" + name, error);
  }
  return {};
}

// First it looks incomplete, then it goes.
Status Folder::remove_generation(const std::string& name) {
  auto partial = path_ + "/" + name + std::string(kPartial);
  auto error = files_->rename(path_ + "/" + name, partial);
  if (!error) error = files_->sync_directory(path_);
  if (!error) error = store::remove_folder(*files_, partial + "/rows");
  if (!error) error = store::remove_folder(*files_, partial);
  if (error) return failed(partial, error);
  return {};
}

Result<std::vector<std::string>> Folder::drop_old(std::size_t keep) {
  auto all = generations();
  if (!all) return all.error();
  std::vector<std::string> dropped;
  std::size_t sound = static_cast<std::size_t>(std::count_if(all->begin(), all->end(), [](const auto& one) { return one.problem.empty(); }));
  for (auto it = all->begin(); it != all->end() && sound > keep;) {
    if (!it->problem.empty()) {
      ++it;
      continue;
    }
    if (auto removed = remove_generation(it->name); !removed) return removed.error();
    dropped.push_back(it->name);
    it = all->erase(it);
    --sound;
  }
  if (auto collected = collect(*all); !collected) return collected.error();
  return dropped;
}

// Removes the segments that none of these names.
Status Folder::collect(const std::vector<Generation>& kept) {
  std::set<std::string> named;
  for (const auto& generation : kept) {
    if (!generation.problem.empty()) return {};
    for (const auto& one : generation.manifest.segments) named.insert(one.file());
  }
  auto names = files_->list(segments());
  if (!names.ok()) return failed(segments(), names.error);
  for (const auto& name : names.value) {
    if (!is_segment(name) || named.contains(name)) continue;
    if (auto error = files_->remove(segments() + "/" + name)) return failed(segments() + "/" + name, error);
  }
  return {};
}

}  // namespace postern::backup
