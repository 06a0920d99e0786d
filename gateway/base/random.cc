// Random octets and the ids of sessions and messages.
#include "gateway/base/random.h"

#include <sys/random.h>

#include <atomic>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/id.h"

namespace postern {

std::string random_octets(std::size_t count) {
  std::string out(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    auto got = getrandom(out.data() + filled, count - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    filled += static_cast<std::size_t>(got);
  }
  return out;
}

std::uint64_t random_number() {
  std::uint64_t out = 0;
  for (unsigned char c : random_octets(8)) out = out << 8 | c;
  return out;
}

std::string new_id() {
  // 49 bits of 16-microsecond ticks (centuries), then 16 bits of a counter with a random start:
  // two ids of one tick differ, two runs of the program do too.
  static std::atomic<std::uint64_t> counter{random_number()};
  auto ticks = static_cast<std::uint64_t>(Clock::system().now().time_since_epoch().count()) / 16;
  std::uint64_t value = ticks << 16 | (counter.fetch_add(1) & 0xffff);
  return id_text(value);
}

}  // namespace postern
