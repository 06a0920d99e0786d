// Lua patterns: whatever pattern and subject are, the matcher ends within its steps and stays inside the subject.
#include <cstdlib>
#include <string_view>

#include "filters/lua/patterns.h"

namespace {

bool spend(void* left, std::size_t steps) {
  auto& budget = *static_cast<std::size_t*>(left);
  if (steps > budget) return false;
  budget -= steps;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using postern::filters::lua::Pattern;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto zero = input.find('\0');
  std::string_view pattern = input.substr(0, zero);
  std::string_view subject = zero == std::string_view::npos ? std::string_view() : input.substr(zero + 1);
  std::size_t budget = 100'000;
  Pattern matcher(subject, pattern, spend, &budget);
  try {
    auto found = matcher.find(0, false);
    if (!found) return 0;
    if (found->first > found->second || found->second > subject.size()) std::abort();
    for (std::size_t i = 0; i < matcher.captures(); ++i) {
      auto capture = matcher.capture(i);
      if (capture.begin > subject.size() || capture.length > subject.size() - capture.begin) std::abort();
    }
  } catch (const postern::filters::lua::PatternError&) {  // a malformed pattern, or out of steps
  }
  return 0;
}
