// SMTP command lines: whatever comes, parsing ends, and what was taken can be said again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/mail/dsn_request.h"
#include "gateway/smtp/command.h"
#include "gateway/smtp/dsn_parameters.h"
#include "gateway/smtp/reply.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  auto command = smtp::parse_command(line);
  for (auto kind : {mail::PathKind::reverse, mail::PathKind::forward}) {
    auto parsed = smtp::parse_path_argument(command.argument, kind);
    if (!parsed) {
      if (parsed.error().text.empty()) std::abort();
      continue;
    }
    smtp::Recipient recipient;
    smtp::take_parameters(*parsed, parsed->needs_utf8, recipient);
    if (recipient.notify.given && mail::parse_notify(recipient.notify.text()) != recipient.notify) std::abort();
    // The address in our own spelling must be read as the same address.
    std::string_view again = kind == mail::PathKind::reverse ? "FROM:" : "TO:";
    auto second = smtp::parse_path_argument(std::string(again) + parsed->path.bracketed(), kind);
    if (!second || !(second->path == parsed->path)) std::abort();
  }
  if (mail::check_envid(command.argument) && command.argument.find_first_of(" \t\r\n=") != std::string::npos) std::abort();
  if (mail::check_orcpt(command.argument, false) && command.argument.find_first_of(" \t\r\n") != std::string::npos) std::abort();
  auto text = smtp::decode_xtext(command.argument);
  auto wire = smtp::Reply(550, "5.7.1", std::string(line)).wire();
  if (wire.size() > 512 || wire.find("\r\n") != wire.size() - 2) std::abort();
  return 0;
}
