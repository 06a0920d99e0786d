// rules import-sa: SpamAssassin's rule files made one of ours.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "filters/sa_import.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/result.h"

namespace postern::admin {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxFile = 8 << 20;
constexpr std::size_t kMaxFiles = 500;
constexpr std::size_t kMaxRuleFile = 1 << 20;   // what a rules folder takes

// Files as given; of a folder its *.cf by name, as SpamAssassin reads them.
Result<std::vector<fs::path>> files_of(const std::vector<std::string>& given) {
  std::vector<fs::path> out;
  for (const auto& one : given) {
    std::error_code trouble;
    if (!fs::is_directory(one, trouble)) {
      out.emplace_back(one);
      continue;
    }
    std::vector<fs::path> inside;
    for (fs::directory_iterator entry(one, trouble); !trouble && entry != fs::directory_iterator(); entry.increment(trouble)) {
      if (entry->path().extension() == ".cf") inside.push_back(entry->path());
    }
    if (trouble) return Error(one + ": cannot be read: " + trouble.message());
    std::sort(inside.begin(), inside.end());
    out.insert(out.end(), inside.begin(), inside.end());
  }
  if (out.size() > kMaxFiles) return Error("more than 500 files");
  return out;
}

Result<filters::sa::File> read(const fs::path& path) {
  std::error_code trouble;
  auto size = fs::file_size(path, trouble);
  if (trouble) return Error(path.string() + ": cannot be read: " + trouble.message());
  if (size > kMaxFile) return Error(path.string() + ": larger than 8 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return Error(path.string() + ": cannot be read");
  return filters::sa::File{path.filename().string(), std::move(text)};
}

std::string told(const filters::sa::Import& made) {
  const auto& f = made.figures;
  return std::to_string(f.translated) + " of " + std::to_string(f.rules) + " rules translated: " + std::to_string(f.scored) + " give points, " + std::to_string(f.parts) +
         " are parts of them, " + std::to_string(f.off) + " are off.  Left: " + std::to_string(f.left_eval) + " functions of plugins, " + std::to_string(f.left_meta) +
         " that depend on something left, " + std::to_string(f.left_other) + " others.\n";
}

json figures_of(const filters::sa::Import& made) {
  json left = json::array();
  for (const auto& one : made.left) left.push_back({{"at", one.at}, {"what", one.what}, {"why", one.why}});
  const auto& f = made.figures;
  return {{"rules", f.rules}, {"translated", f.translated}, {"scored", f.scored}, {"parts", f.parts}, {"off", f.off}, {"less", f.at_least}, {"tests", f.tests}, {"left", left}};
}

// Never over a file that is there: somebody may have edited it.
Status write_new(const std::string& path, const std::string& text) {
  std::error_code trouble;
  if (fs::exists(path, trouble)) return Error(path + ": is there already");
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return Error(path + ": cannot be written");
  return {};
}

}  // namespace

int import_sa_command(const Global& global, const ImportSaArguments& arguments) {
  auto paths = files_of(arguments.files);
  if (!paths) return complain(paths.error().text), 1;
  std::vector<filters::sa::File> files;
  for (const auto& path : *paths) {
    auto file = read(path);
    if (!file) return complain(file.error().text), 1;
    files.push_back(std::move(*file));
  }
  filters::sa::ImportOptions options;
  options.name = arguments.name;
  options.score_set = arguments.score_set;
  auto made = filters::sa::import_sa(files, options);
  if (made.lua.empty()) return complain("none of the " + std::to_string(made.figures.rules) + " rules could be translated"), 1;
  if (made.lua.size() > kMaxRuleFile) return complain("the rules come to more than 1 MiB, which no rule file may have: import fewer files at a time"), 1;
  if (!arguments.output.empty()) {
    if (auto written = write_new(arguments.output, made.lua); !written) return complain(written.error().text), 1;
  }
  json figures = figures_of(made);
  if (global.json) {
    if (arguments.output.empty()) figures["lua"] = made.lua;
    print_json(figures);
    return 0;
  }
  if (arguments.output.empty()) print(made.lua);
  for (const auto& one : made.left) complain(one.at + ": " + one.what + ": " + one.why);
  complain(told(made));
  return 0;
}

}  // namespace postern::admin
