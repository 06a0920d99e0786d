#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::filters {

enum class Deflated {
  raw,    // RFC 1951: zip
  zlib,   // RFC 1950: PDF, PowerPoint
};

struct Inflated {
  enum class State {
    whole,
    cut,       // `limit` octets came out and there is more
    damaged,   // octets that came out before the error are there
  } state = State::damaged;
  std::string octets;
  std::size_t used = 0;    // octets of the input that were read
};

// Never more than `limit` octets come out, nor is more work done than that.  zlib's own memory is about 44 KiB.
Inflated inflate(std::string_view octets, Deflated form, std::size_t limit);

}  // namespace postern::filters
