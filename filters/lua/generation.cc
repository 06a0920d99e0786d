// Reading a rules folder: bounded, sorted, hashed.
#include "filters/lua/generation.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "filters/fnv.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 1'000;
constexpr std::uintmax_t kMaxFileOctets = 1 << 20;

Result<SourceFile> read_file(const fs::path& path, std::string name) {
  std::error_code trouble;
  auto size = fs::file_size(path, trouble);
  if (trouble) return Error(name + ": cannot be read: " + trouble.message());
  if (size > kMaxFileOctets) return Error(name + ": larger than 1 MiB");
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(name + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return SourceFile{std::move(name), text.str()};
}

Status read_folder(const fs::path& folder, const std::string& prefix, std::map<std::string, SourceFile, std::less<>>& files) {
  std::error_code trouble;
  fs::recursive_directory_iterator entry(folder, trouble);
  if (trouble) return Error(folder.string() + ": cannot be read: " + trouble.message());
  for (; entry != fs::recursive_directory_iterator(); entry.increment(trouble)) {
    if (trouble) return Error(folder.string() + ": cannot be read: " + trouble.message());
    std::string leaf = entry->path().filename().string();
    if (entry->is_directory(trouble)) {
      // samples/ are to be copied from, not to be run; hidden folders belong to editors and git.
      if (leaf == "samples" || leaf.starts_with('.') || entry.depth() > 4) entry.disable_recursion_pending();
      continue;
    }
    if (leaf.starts_with('.') || entry->path().extension() != ".lua") continue;
    if (files.size() >= kMaxFiles) return Error(folder.string() + ": more than 1000 files");
    std::string name = prefix + entry->path().lexically_relative(folder).generic_string();
    auto file = read_file(entry->path(), name);
    if (!file) return file.error();
    files[name] = std::move(*file);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<Generation>> Generation::read(const fs::path& rules, const fs::path& scripts, Budgets budgets,
                                                     std::shared_ptr<ListFolder> lists) {
  std::shared_ptr<Generation> made(new Generation);
  if (auto status = read_folder(rules, "rules/", made->files_); !status) return status.error();
  if (auto status = read_folder(scripts, "scripts/", made->files_); !status) return status.error();
  made->budgets_ = budgets;
  made->lists_ = std::move(lists);
  made->seal();
  return made;
}

std::shared_ptr<Generation> Generation::from(std::vector<SourceFile> files, Budgets budgets, std::shared_ptr<ListFolder> lists) {
  std::shared_ptr<Generation> made(new Generation);
  for (auto& file : files) {
    std::string name = file.name;
    made->files_[name] = std::move(file);
  }
  made->budgets_ = budgets;
  made->lists_ = std::move(lists);
  made->seal();
  return made;
}

void Generation::seal() {
  std::uint64_t state = kFnvBegin;
  for (const auto& [name, file] : files_) {
    state = fnv(name, state);
    state = fnv(std::string_view("\0", 1), state);
    state = fnv(file.text, state);
    state = fnv(std::string_view("\0", 1), state);
  }
  std::string octets;
  for (int shift = 56; shift >= 0; shift -= 8) octets += static_cast<char>(state >> shift);
  hash_ = hex(octets).substr(0, 12);
}

std::vector<const SourceFile*> Generation::rule_files() const {
  std::vector<const SourceFile*> out;
  for (const auto& [name, file] : files_) {
    if (name.starts_with("rules/") && name.find('/', 6) == std::string::npos) out.push_back(&file);
  }
  return out;
}

std::vector<const SourceFile*> Generation::own_files() const {
  std::vector<const SourceFile*> out;
  for (const auto& [name, file] : files_) {
    if (name.starts_with("rules/")) out.push_back(&file);
  }
  return out;
}

const SourceFile* Generation::find(std::string_view name) const {
  auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

const SourceFile* Generation::module(std::string_view name) const {
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != std::string_view::npos) return nullptr;
  std::string path(name);
  std::replace(path.begin(), path.end(), '.', '/');
  return find((name.starts_with("std.") ? "scripts/" : "rules/") + path + ".lua");
}

Result<std::shared_ptr<const Regex>> Generation::regex(std::string_view pattern, std::string_view flags) const {
  std::lock_guard lock(mutex_);
  return regexes_.add(pattern, flags);
}

void Generation::compile_patterns() const {
  std::vector<std::shared_ptr<const Regex>> patterns;
  {
    std::lock_guard lock(mutex_);
    patterns = regexes_.patterns();
  }
  if (patterns.empty() || pattern_set() != nullptr) return;
  auto made = PatternSet::compile(std::move(patterns));
  std::lock_guard lock(mutex_);
  if (made_set_ != nullptr) return;
  made_set_ = std::move(made);
  pattern_set_.store(made_set_.get(), std::memory_order_release);
}

}  // namespace postern::filters::lua
