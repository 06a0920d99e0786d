// From the wire to one command.  RFC 3501 2.2.1 and 4.3, RFC 7888.
#include "gateway/imap/reader.h"

#include "gateway/base/text.h"

namespace postern::imap {
namespace {

// What is skipped rather than answered by closing: a client that uses LITERAL+ carelessly.
constexpr std::uint64_t kMaxSkipped = 16ULL << 20;
constexpr std::string_view kTooBig = "[TOOBIG] the command is too large";

}  // namespace

bool is_append_up_to_message(std::string_view text) {
  Parser parser(text);
  if (!parser.tag() || !parser.sp() || !parser.accept_word("APPEND") || !parser.sp()) return false;
  if (!parser.mailbox() || !parser.sp()) return false;
  if (parser.next_is('(') && (!parser.flag_list() || !parser.sp())) return false;
  if (parser.next_is('"') && (!parser.date_time() || !parser.sp())) return false;
  return parser.next_is('{') && parser.rest().find('\n') == std::string_view::npos;
}

io::Task<void> skip(io::Stream& stream, std::uint64_t octets, Deadline deadline) {
  while (octets > 0) {
    if (stream.buffered().empty()) co_await stream.fill(deadline);
    auto have = std::min<std::uint64_t>(octets, stream.buffered().size());
    stream.consume(have);
    octets -= have;
  }
}

io::Task<CommandText> read_command(io::Stream& stream, ReadLimits limits, Deadline deadline) {
  CommandText command;
  std::uint64_t skipped = 0;
  for (;;) {
    auto room = limits.octets - std::min<std::uint64_t>(limits.octets, command.text.size());
    auto line = co_await stream.read_line(room, deadline);
    if (command.end == CommandText::End::complete) command.text += line.text;
    if (line.too_long) {
      // Whether its end announced a literal is not known: what follows could be data, not a command.
      command.end = CommandText::End::hopeless;
      co_return command;
    }
    auto announced = announced_literal(line.text);
    if (!announced) co_return command;
    if (command.end == CommandText::End::complete && limits.append && is_append_up_to_message(command.text)) {
      command.end = CommandText::End::message_follows;
      command.message = *announced;
      co_return command;
    }
    bool fits = command.end == CommandText::End::complete && announced->octets <= limits.octets &&
                command.text.size() + announced->octets <= limits.octets;
    if (!fits) {
      command.end = CommandText::End::refused;
      command.refusal = kTooBig;
      if (announced->waits) co_return command;  // it sends nothing more before our "+"
      if (announced->octets > kMaxSkipped || skipped + announced->octets > kMaxSkipped) {
        command.end = CommandText::End::hopeless;
        co_return command;
      }
      skipped += announced->octets;
      co_await skip(stream, announced->octets, deadline);
      continue;
    }
    if (announced->waits) co_await stream.write("+ go ahead\r\n", deadline);
    auto octets = co_await stream.read_exact(announced->octets, deadline);
    command.text += "\r\n";
    command.text += octets;
  }
}

}  // namespace postern::imap
