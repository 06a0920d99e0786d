#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace postern::test {

// The suites that others wrote: $POSTERN_SUITES, else ../shared/suites beside the source.  nullopt,
// with a line that says so, when they are not there; the test then says nothing more and passes.
std::optional<std::filesystem::path> suites();

// A whole file; CHECKs that it can be read.
std::string read_file(const std::filesystem::path& path);
// LF and CRLF alike become CRLF.
std::string with_crlf(std::string_view text);

}  // namespace postern::test
