// The lines that a POP3 client sends.  RFC 1939, RFC 5034.
#include "gateway/pop3/command.h"

#include <array>
#include <utility>

#include "gateway/base/text.h"

namespace postern::pop3 {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 14> kVerbs = {{
    {"USER", Verb::user}, {"PASS", Verb::pass}, {"AUTH", Verb::auth}, {"STLS", Verb::stls}, {"CAPA", Verb::capa},
    {"STAT", Verb::stat}, {"LIST", Verb::list}, {"RETR", Verb::retr}, {"DELE", Verb::dele}, {"NOOP", Verb::noop},
    {"RSET", Verb::rset}, {"QUIT", Verb::quit}, {"TOP", Verb::top},   {"UIDL", Verb::uidl},
}};

}  // namespace

Command parse_command(std::string_view line) {
  Command out;
  auto space = line.find(' ');
  auto word = line.substr(0, space);
  for (const auto& [name, verb] : kVerbs) {
    if (iequals(word, name)) out.verb = verb;
  }
  if (space == std::string_view::npos) return out;
  auto rest = line.substr(space + 1);
  // A password may begin or end with spaces; elsewhere a space too many does no harm.
  out.argument = out.verb == Verb::pass ? rest : trimmed(rest);
  return out;
}

std::optional<std::uint32_t> parse_message_number(std::string_view text) {
  auto number = parse_number(text);
  if (!number || *number == 0 || *number > UINT32_MAX || text.size() > 10) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<TopArguments> parse_top(std::string_view text) {
  auto both = words(text);
  if (both.size() != 2) return std::nullopt;
  auto message = parse_message_number(both[0]);
  auto lines = parse_number(both[1]);
  if (!message || !lines) return std::nullopt;
  TopArguments out;
  out.message = *message;
  out.lines = *lines;
  return out;
}

}  // namespace postern::pop3
