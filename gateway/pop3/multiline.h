#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::pop3 {

// Turns the octets of a message, given in chunks of any cut, into the lines of a multi-line reply:
// a dot at a line's begin is doubled and a bare LF becomes CRLF (RFC 1939 3), so that the reply
// ends where we end it for strict and for lenient readers alike.
class Multiline {
 public:
  // `body_lines`: TOP's limit, counted from the empty line behind the header; nothing: all.
  explicit Multiline(std::optional<std::uint64_t> body_lines = std::nullopt) : body_lines_(body_lines) {}

  // What to send for this chunk.  Once complete() nothing more comes out.
  std::string add(std::string_view octets);
  bool complete() const { return complete_; }
  // The missing line end, if any, and the final dot.
  std::string end() const { return at_line_begin_ ? ".\r\n" : "\r\n.\r\n"; }

 private:
  void end_line();

  std::optional<std::uint64_t> body_lines_;
  bool at_line_begin_ = true;
  bool after_cr_ = false;
  bool line_empty_ = true;    // nothing but a line end so far
  bool in_body_ = false;
  bool complete_ = false;
};

}  // namespace postern::pop3
