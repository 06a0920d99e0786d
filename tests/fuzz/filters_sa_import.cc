// SpamAssassin rule files: whatever they hold, the importer ends, and no text of theirs leaves Lua's strings.
#include <cstdlib>
#include <string>

#include "filters/sa_import.h"
#include "filters/sa_pattern.h"

namespace {

// Whether a piece of Lua that is made of strings, names, numbers and signs alone ends its strings; false: it does not.
bool strings_end(std::string_view lua) {
  for (std::size_t at = 0; at < lua.size(); ++at) {
    if (lua.substr(at, 2) == "--") {
      at = lua.find('\n', at);
      if (at == std::string_view::npos) return true;
    } else if (lua[at] == '"') {
      for (++at; at < lua.size() && lua[at] != '"'; ++at) {
        if (lua[at] == '\n') return false;
        if (lua[at] == '\\') ++at;
      }
      if (at >= lua.size()) return false;
    } else if (lua[at] == '[' && at + 1 < lua.size() && (lua[at + 1] == '[' || lua[at + 1] == '=')) {
      auto open = lua.find('[', at + 1);
      if (open == std::string_view::npos) return false;
      std::string close = "]" + std::string(open - at - 1, '=') + "]";
      at = lua.find(close, open);
      if (at == std::string_view::npos) return false;
      at += close.size() - 1;
    } else if (static_cast<unsigned char>(lua[at]) >= 0x80) {
      return false;      // outside of strings everything is ASCII
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace postern::filters::sa;
  std::string text(reinterpret_cast<const char*>(data), size);
  Import made = import_sa({{"a.cf", text}}, {});
  const auto& figures = made.figures;
  if (figures.translated + figures.left_eval + figures.left_meta + figures.left_other != figures.rules) std::abort();
  if (figures.scored + figures.parts + figures.off != figures.translated) std::abort();
  if (!strings_end(made.lua)) std::abort();
  auto pattern = read_pattern(text.substr(0, 500), {}, false);
  if (pattern) static_cast<void>(sample_of(*pattern));
  return 0;
}
