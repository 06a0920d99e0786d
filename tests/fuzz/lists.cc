// List files: any octets parse or give an error with the line; what parsed contains its own entries.
#include <cstdlib>
#include <string_view>

#include "filters/lists.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto list = postern::filters::List::parse(text, "lists/x.txt");
  if (!list) {
    if (!list.error().text.starts_with("lists/x.txt:")) std::abort();
    return 0;
  }
  (*list)->contains(text.substr(0, 300));
  (*list)->contains("anna@sender.example");
  (*list)->contains("192.0.2.1");
  return 0;
}
