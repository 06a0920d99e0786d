#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "tests/support/sanitized.h"

// What work costs in processor time of its thread: other programs of the machine do not count.
namespace postern::testing {

inline std::chrono::nanoseconds thread_now() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// What no machine takes for work that costs `measured` on an ordinary one, sanitizers and all, unless the work grows without
// bound: a test that asks for it asserts no speed.
constexpr std::chrono::nanoseconds out_of_bounds(std::chrono::nanoseconds measured) { return 50 * measured; }

// The least of three tries.
template <class Work>
std::chrono::nanoseconds thread_time(Work work) {
  auto least = std::chrono::nanoseconds::max();
  for (int i = 0; i < 3; ++i) {
    auto begin = thread_now();
    work();
    least = std::min(least, thread_now() - begin);
  }
  return least;
}

// Whether work(4 * size) takes about four times as long as work(size), and not sixteen times.  What takes less than
// 20 ms is quick enough whatever it grows with, and too short to be measured.
template <class Work>
bool grows_with_its_length(Work work, std::size_t size) {
  if (kSanitized) size /= 4;
  auto large = thread_time([&] { work(4 * size); });
  if (large < std::chrono::milliseconds(20)) return true;
  auto small = thread_time([&] { work(size); });
  return large < 9 * small;
}

}  // namespace postern::testing
