#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "filters/scanner_engine.h"
#include "gateway/io/packets.h"

// What gateway, loader and scanner say to each other: packets of one machine, in its octet order.
//
//   loader  -> gateway   Hello (loaded or failed, with a text)
//   gateway -> loader    Spawn, with the scanner's end of its socket and the shared area (a memfd)
//   loader  -> gateway   Spawned, with the scanner's pidfd (or none and a text)
//   scanner -> gateway   Answer with id 0 once it is in its jail: ready, or a text why not
//   gateway -> scanner   Request + Pieces, with the memfd that holds the message, if it is not in the shared area
//   scanner -> gateway   Answer
namespace postern::filters::wire {

constexpr std::uint32_t kMagic = 0x50534331;  // "PSC1"
constexpr std::size_t kMaxPieces = 1100;      // 96 octets each, below io::kMaxPacket
constexpr std::size_t kMaxText = 1000;
// Messages up to this size go through memory that gateway and scanner share for the scanner's life.
constexpr std::size_t kSharedArea = 1 << 20;
// A scanner that has used this much processor time asks to be replaced.
constexpr int kRetireSeconds = 300;

enum class Kind : std::uint32_t { hello = 1, spawn, spawned, request, answer };

struct Hello {
  std::uint32_t magic = kMagic;
  Kind kind = Kind::hello;
  std::uint32_t loaded = 0;       // 0: the text says why not
  std::uint32_t signatures = 0;
  std::int64_t database_time = 0;
  std::uint32_t pid = 0;
  std::uint32_t reserved = 0;
};

struct Spawn {
  std::uint32_t magic = kMagic;
  Kind kind = Kind::spawn;
  std::uint64_t id = 0;
};

struct Spawned {
  std::uint32_t magic = kMagic;
  Kind kind = Kind::spawned;
  std::uint64_t id = 0;           // of the Spawn that it answers
  std::uint32_t pid = 0;          // 0: the text says why not
  std::uint32_t reserved = 0;
};

struct Request {
  std::uint32_t magic = kMagic;
  Kind kind = Kind::request;
  std::uint64_t id = 0;
  std::uint64_t octets = 0;       // of the message
  std::uint32_t pieces = 0;
  std::uint32_t in_memfd = 0;     // 1: in the descriptor that came with it; 0: in the shared area
};

struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint8_t encoding = 0;      // mail::TransferEncoding
  std::uint8_t mode = 0;          // ScanMode
  char name[78] = {};             // NUL-terminated, for the reader of an error
};
static_assert(sizeof(Piece) == 96);

enum class State : std::uint32_t { clean = 0, found, limit, error, ready };

struct Answer {
  std::uint32_t magic = kMagic;
  Kind kind = Kind::answer;
  std::uint64_t id = 0;
  State state = State::error;
  std::uint32_t retire = 0;       // 1: replace me, I have used much
};

// A header with a text behind it.
template <class Header>
std::string pack(const Header& header, std::string_view text = {}) {
  std::string out(sizeof header, '\0');
  std::memcpy(out.data(), &header, sizeof header);
  out += text.substr(0, kMaxText);
  return out;
}

// Nothing if the packet is shorter than the header or not of its kind.
template <class Header>
std::optional<Header> unpack(std::string_view octets) {
  Header header;
  Header expected;
  if (octets.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, octets.data(), sizeof header);
  if (header.magic != kMagic || header.kind != expected.kind) return std::nullopt;
  return header;
}

template <class Header>
std::string_view text_of(std::string_view octets) {
  return octets.size() > sizeof(Header) ? octets.substr(sizeof(Header)) : std::string_view();
}

}  // namespace postern::filters::wire
