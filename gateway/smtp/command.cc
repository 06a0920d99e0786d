// Parsing of SMTP command lines, RFC 5321 4.1.
#include "gateway/smtp/command.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"

namespace postern::smtp {
namespace {

struct Known {
  std::string_view word;
  Verb verb;
};
constexpr std::array kVerbs{
    Known{"HELO", Verb::helo}, Known{"EHLO", Verb::ehlo}, Known{"MAIL", Verb::mail},         Known{"RCPT", Verb::rcpt},
    Known{"DATA", Verb::data}, Known{"BDAT", Verb::bdat}, Known{"RSET", Verb::rset},         Known{"NOOP", Verb::noop},
    Known{"QUIT", Verb::quit}, Known{"VRFY", Verb::vrfy}, Known{"EXPN", Verb::expn},         Known{"HELP", Verb::help},
    Known{"AUTH", Verb::auth}, Known{"STARTTLS", Verb::starttls}, Known{"XCLIENT", Verb::xclient},
    Known{"LHLO", Verb::lhlo}, Known{"XFORWARD", Verb::xforward}};

}  // namespace

Command parse_command(std::string_view line) {
  auto space = std::min(line.find(' '), line.size());
  auto word = line.substr(0, space);
  Command command;
  for (const auto& known : kVerbs) {
    if (iequals(word, known.word)) command.verb = known.verb;
  }
  command.argument = trimmed(line.substr(space));
  return command;
}

Result<PathArgument> parse_path_argument(std::string_view argument, mail::PathKind kind) {
  std::string_view prefix = kind == mail::PathKind::reverse ? "FROM:" : "TO:";
  if (!istarts_with(argument, prefix)) return Error("Syntax: " + std::string(prefix) + "<address>");
  auto rest = trimmed(argument.substr(prefix.size()));
  auto whole = rest;
  auto path = mail::take_path(rest, kind, true);
  if (!path) return path.error();
  PathArgument out;
  out.path = std::move(*path);
  out.needs_utf8 = !is_ascii(whole.substr(0, whole.size() - rest.size()));
  if (!rest.empty() && !is_wsp(rest.front())) return Error("A space must follow the address");
  for (auto word : words(rest)) {
    auto equals = word.find('=');
    std::string value = equals == std::string_view::npos ? "" : std::string(word.substr(equals + 1));
    out.params.emplace_back(ascii_uppered(word.substr(0, equals)), std::move(value));
  }
  return out;
}

Result<std::string> decode_xtext(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '+') {
      out += text[i];
      continue;
    }
    auto octet = from_hex(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return Error("Broken xtext");
    out += *octet;
    i += 2;
  }
  return out;
}

}  // namespace postern::smtp
