#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/imap/parser.h"
#include "gateway/io/stream.h"

namespace postern::imap {

// One command as it came.
struct CommandText {
  enum class End : std::uint8_t {
    complete,
    message_follows,   // APPEND up to its message, whose literal was announced and not yet asked for
    refused,           // too large: `refusal` is the answer, the connection is in step
    hopeless           // too large and not to be skipped: BYE
  };
  End end = End::complete;
  std::string text;            // literals in place: "{3}\r\nabc"; without the final line end
  Announced message;
  std::string_view refusal;    // with response code
};

struct ReadLimits {
  std::uint64_t octets = 0;    // of the whole command
  bool append = false;         // stop before the message of an APPEND
};

// Reads one command with its literals, asking for each synchronizing one with "+".  RFC 3501 4.3, RFC 7888.
// A literal that would pass the limit is not asked for; one that comes unasked is skipped if it is small.
io::Task<CommandText> read_command(io::Stream& stream, ReadLimits limits, Deadline deadline);

// Is this "TAG APPEND MAILBOX [FLAGS] [DATE] {n}", so that the literal is the message?
bool is_append_up_to_message(std::string_view text);

// Drops octets that the peer sends and nobody wants.
io::Task<void> skip(io::Stream& stream, std::uint64_t octets, Deadline deadline);

}  // namespace postern::imap
