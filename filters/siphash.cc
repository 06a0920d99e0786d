// SipHash-2-4, 128 bits.
#include "filters/siphash.h"

#include <bit>

namespace postern::filters {
namespace {

struct State {
  std::uint64_t a, b, c, d;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      a += b;
      b = std::rotl(b, 13) ^ a;
      a = std::rotl(a, 32);
      c += d;
      d = std::rotl(d, 16) ^ c;
      a += d;
      d = std::rotl(d, 21) ^ a;
      c += b;
      b = std::rotl(b, 17) ^ c;
      c = std::rotl(c, 32);
    }
  }
  void take(std::uint64_t word) {
    d ^= word;
    rounds(2);
    a ^= word;
  }
};

// Little-endian, whatever the machine is.
std::uint64_t word_of(std::string_view octets) {
  std::uint64_t out = 0;
  for (std::size_t i = octets.size(); i-- > 0;) out = out << 8 | static_cast<unsigned char>(octets[i]);
  return out;
}

}  // namespace

std::array<std::uint64_t, 2> siphash(std::string_view octets, const HashKey& key) {
  State state{key.first ^ 0x736f6d6570736575ULL, key.second ^ 0x646f72616e646f6dULL ^ 0xee, key.first ^ 0x6c7967656e657261ULL, key.second ^ 0x7465646279746573ULL};
  std::string_view rest = octets;
  for (; rest.size() >= 8; rest.remove_prefix(8)) state.take(word_of(rest.substr(0, 8)));
  state.take(word_of(rest) | static_cast<std::uint64_t>(octets.size() & 0xff) << 56);
  state.c ^= 0xee;
  state.rounds(4);
  std::uint64_t low = state.a ^ state.b ^ state.c ^ state.d;
  state.b ^= 0xdd;
  state.rounds(4);
  return {low, state.a ^ state.b ^ state.c ^ state.d};
}

}  // namespace postern::filters
