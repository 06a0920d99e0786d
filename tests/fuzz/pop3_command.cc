// POP3 command lines and SASL PLAIN; and Multiline: whatever the message and however it is cut, only our end ends it.
#include <cstddef>
#include <cstdint>

#include "gateway/base/check.h"
#include "gateway/directory/sasl_plain.h"
#include "gateway/pop3/command.h"
#include "gateway/pop3/multiline.h"

namespace {

using namespace postern::pop3;

std::string sent(std::string_view message, std::optional<std::uint64_t> lines, std::size_t piece) {
  Multiline multiline(lines);
  std::string out;
  for (std::size_t i = 0; i < message.size(); i += piece) out += multiline.add(message.substr(i, piece));
  return out + multiline.end();
}

// As a strict client reads it; and none of its lines ends in a bare LF.
std::string received(std::string_view reply) {
  std::string out;
  for (;;) {
    auto end = reply.find('\n');
    CHECK(end != std::string_view::npos && end > 0 && reply[end - 1] == '\r');
    auto line = reply.substr(0, end + 1);
    reply.remove_prefix(end + 1);
    if (line == ".\r\n") break;
    out += line.starts_with('.') ? line.substr(1) : line;
  }
  CHECK(reply.empty());
  return out;
}

std::string with_crlf(std::string_view message) {
  std::string out;
  for (char c : message) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto command = parse_command(text.substr(0, text.find('\n')));
  CHECK(command.argument.size() <= size);
  parse_message_number(text);
  parse_top(command.argument);
  postern::directory::parse_plain(command.argument);

  std::size_t piece = size == 0 ? 1 : 1 + data[0] % 7;
  auto whole = sent(text, std::nullopt, size + 1);
  CHECK(sent(text, std::nullopt, piece) == whole);
  CHECK(received(whole) == with_crlf(text));
  std::uint64_t lines = size == 0 ? 0 : data[size - 1] % 4;
  auto top = sent(text, lines, size + 1);
  CHECK(sent(text, lines, piece) == top);
  CHECK(with_crlf(text).starts_with(received(top)));
  return 0;
}
