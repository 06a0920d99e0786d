#pragma once

#include <fstream>
#include <iterator>
#include <map>

#include "gateway/backup/make.h"
#include "gateway/backup/opened.h"
#include "gateway/backup/restore.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/fixture.h"

// A store, and a folder of backups beside it.
namespace postern::backup::test {

namespace fs = std::filesystem;
using store::test::Fixture;

inline store::Files& system_files() { return store::Files::system(); }

inline std::string text_of(int number) { return "Subject: " + std::to_string(number) + "\r\n\r\n" + std::string(3000, 'm'); }

inline Result<Made> back_up(Fixture& f, const std::string& directory, store::Files& files = system_files()) {
  auto folder = Folder::open_to_write(files, directory);
  if (!folder) return folder.error();
  auto frozen = f.run(store::freeze(*f.store));
  if (!frozen) return frozen.error();
  Source source{(*frozen)->rows, (*frozen)->segments, (*frozen)->moment, "mx.example.test", "0", {}};
  return make(files, *folder, source, {});
}

inline Made must_back_up(Fixture& f, const std::string& directory) {
  auto made = back_up(f, directory);
  if (!made) FAIL(made.error().text);
  return *made;
}

inline std::vector<Generation> generations(const std::string& directory) {
  auto folder = Folder::open(system_files(), directory);
  if (!folder) FAIL(folder.error().text);
  auto all = folder->generations();
  REQUIRE(all);
  return *all;
}

inline std::vector<std::string> verified(const std::string& directory, const std::string& name = "") {
  auto folder = Folder::open(system_files(), directory);
  REQUIRE(folder);
  auto generation = folder->generation(name);
  if (!generation) return {generation.error().text};
  return verify(system_files(), *folder, *generation, {});
}

inline Result<Whole> restored(const std::string& directory, const std::string& data, WholeOptions options = {}, const std::string& name = "",
                              store::Files& files = system_files()) {
  auto folder = Folder::open(files, directory);
  if (!folder) return folder.error();
  auto generation = folder->generation(name);
  if (!generation) return generation.error();
  return restore_whole(files, *folder, *generation, data, options, {});
}

// Every file below with its octets.
inline std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    out[entry.path().string().substr(directory.size())] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return out;
}

inline void flip(const fs::path& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  char octet = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(octet);
}

// The store of `f` is another one from now on.
inline void change_to(Fixture& f, const std::string& data) {
  f.store.reset();
  f.options.directory = data;
  f.open();
}

}  // namespace postern::backup::test
