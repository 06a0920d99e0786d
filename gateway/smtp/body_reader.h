#pragma once

#include <cstdint>

#include "gateway/base/clock.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"
#include "gateway/io/draft.h"

namespace postern::smtp {

enum class BodyEnd {
  complete,
  too_big,        // over the limit: read to its end, dropped
  bare_newline,   // the caller must reply and close
  no_space        // the draft failed: read to its end, dropped
};

struct BodyLimits {
  std::uint64_t max_octets = 0;
  std::chrono::steady_clock::duration idle{};    // between two pieces; RFC 5321 4.5.3.2.5: 3 minutes
  Deadline whole{};                              // for all of it
};

// Reads one message body after 354 into `draft` until the line with the single dot, which is not
// part of it; leading dots are unstuffed.
//
// A bare CR or LF ends the body with bare_newline and the caller must close the connection: what
// follows could be a smuggled second message.  RFC 5321 2.3.8, 4.1.1.4, 4.5.2.
// `stream` and `draft` must outlive the task.
io::Task<BodyEnd> read_body(io::Stream& stream, io::Draft& draft, BodyLimits limits);

// Reads a BDAT chunk of exactly `octets` (RFC 3030 2).  `last_octet` carries the final octet of the
// chunk before (0 at the first), so that a CRLF over the seam is seen as one.  A bare CR or LF gives
// bare_newline after the whole chunk was read: counting keeps the dialogue in step.
io::Task<BodyEnd> read_chunk(io::Stream& stream, io::Draft& draft, std::uint64_t octets, char& last_octet, BodyLimits limits);

}  // namespace postern::smtp
