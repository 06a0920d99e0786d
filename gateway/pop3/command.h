#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::pop3 {

// Octets of a line: RFC 2449 4 says 255; AUTH PLAIN with a long password in one line wants more.
constexpr std::size_t kMaxLine = 4096;

enum class Verb : std::uint8_t { user, pass, auth, stls, capa, stat, list, retr, dele, noop, rset, quit, top, uidl, unknown };

struct Command {
  Verb verb = Verb::unknown;
  // What stands behind the one space, trimmed; for PASS to the end of the line, spaces included.
  std::string argument;
};

// RFC 1939 3: a keyword, case-blind, and arguments separated by a single space.
Command parse_command(std::string_view line);

// "2" -> 2: a message number, RFC 1939: at least 1, at most ten digits.
std::optional<std::uint32_t> parse_message_number(std::string_view text);

struct TopArguments {
  std::uint32_t message = 0;
  std::uint64_t lines = 0;
};
// "2 10"
std::optional<TopArguments> parse_top(std::string_view text);

}  // namespace postern::pop3
