#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/archive_limits.h"
#include "filters/scanner_engine.h"
#include "filters/scanner_wire.h"

namespace postern::filters {

struct WorkLimits {
  ArchiveLimits archives;
  std::uint32_t message_milliseconds = 40'000;  // all pieces of one message together
  std::uint64_t decoded_octets = 256ULL << 20;  // one decoded part
};

struct WorkAnswer {
  wire::State state = wire::State::clean;
  std::string text;  // found: the name; limit, error: why not scanned; clean: a remark, or empty
};

// Scans the pieces of one message; runs in the jail.  A virus in one piece outweighs a limit
// that another exceeds, and that outweighs an error, which may be gone at the next try.  `pieces` come
// from the gateway, but are checked against the message all the same.
WorkAnswer scan_pieces(const Engine& engine, std::string_view message, const std::vector<wire::Piece>& pieces, const WorkLimits& limits);

}  // namespace postern::filters
