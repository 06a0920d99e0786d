// The rows of mailing lists, and what people and servers make of their addresses: reading ends, and what was read can be
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/directory/lists.h"
#include "gateway/directory/srs.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto list = directory::decode_list(text)) {
    auto again = directory::decode_list(directory::encode(*list));
    if (!again || !(*again == *list)) std::abort();
  }
  auto parts = directory::split_list_local(text);
  if (std::string(parts.list) + std::string(directory::suffix(parts.role)) != text) std::abort();
  static const directory::Srs srs({"key"});
  auto read = srs.read_token("list:", text, from_unix(1'795'492'742));
  if (read.kind == directory::Srs::Returned::Kind::good) std::abort();   // nobody guesses the hash
  return 0;
}
