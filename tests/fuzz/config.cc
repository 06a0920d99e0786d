// The configuration loader: any text gives a configuration or mistakes in words, each with the file's name.
#include <cstddef>
#include <cstdint>

#include "gateway/base/check.h"
#include "gateway/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto loaded = postern::config::parse(text, "p.toml");
  for (const auto& lines : {loaded.mistakes, loaded.warnings}) {
    for (const auto& line : lines) {
      CHECK(line.starts_with("p.toml:"));
      CHECK(line.size() > 8);
    }
  }
  if (loaded.ok()) {
    CHECK(!loaded.config.hostname.empty());
    CHECK(!loaded.config.domains.empty());
  }
  return 0;
}
