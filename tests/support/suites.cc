// Where the suites lie.
#include "tests/support/suites.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gateway/base/check.h"

namespace postern::test {

std::optional<std::filesystem::path> suites() {
  std::filesystem::path place;
  if (const char* given = std::getenv("POSTERN_SUITES"); given != nullptr && *given != '\0') {
    place = given;
  } else if (const char* source = std::getenv("POSTERN_SOURCE"); source != nullptr) {
    place = std::filesystem::path(source) / ".." / "shared" / "suites";
  } else {
    place = "../shared/suites";
  }
  std::error_code problem;
  if (std::filesystem::is_directory(place, problem)) return place;
  std::printf("SKIPPED: there are no suites at %s (set POSTERN_SUITES)\n", place.c_str());
  return std::nullopt;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK(file.good());
  std::ostringstream out;
  out << file.rdbuf();
  return std::move(out).str();
}

std::string with_crlf(std::string_view text) {
  std::string out;
  char previous = '\0';
  for (char c : text) {
    if (c == '\n' && previous != '\r') out += '\r';
    out += c;
    previous = c;
  }
  return out;
}

}  // namespace postern::test
