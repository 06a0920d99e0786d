// The scanner as a program of its own, for tests: what `postern scanner` is in the gateway.
#include <cstdio>
#include <string>
#include <vector>

#include "filters/scanner_child.h"

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  auto options = postern::filters::parse_scanner_arguments(arguments);
  if (!options) {
    std::fprintf(stderr, "%s\n", options.error().text.c_str());
    return 2;
  }
  return postern::filters::scanner_main(*options);
}
