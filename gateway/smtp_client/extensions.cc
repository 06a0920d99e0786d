// The keywords of an EHLO reply.
#include "gateway/smtp_client/extensions.h"

#include "gateway/base/text.h"

namespace postern::smtp_client {
namespace {

// RFC 9422 4: "RCPTMAX=100".
void take_limit(Extensions& out, std::string_view limit) {
  auto equals = limit.find('=');
  if (equals == std::string_view::npos) return;
  auto value = parse_number(limit.substr(equals + 1)).value_or(0);
  if (iequals(limit.substr(0, equals), "RCPTMAX")) out.rcpt_max = value;
  if (iequals(limit.substr(0, equals), "MAILMAX")) out.mail_max = value;
}

void take_keyword(Extensions& out, const std::vector<std::string_view>& parts) {
  auto keyword = parts[0];
  auto is = [keyword](std::string_view name) { return iequals(keyword, name); };
  if (is("SIZE")) {
    out.size = true;
    out.max_size = parts.size() > 1 ? parse_number(parts[1]).value_or(0) : 0;
  } else if (is("AUTH")) {
    for (auto mechanism : parts) {
      out.auth_plain = out.auth_plain || iequals(mechanism, "PLAIN");
      out.auth_login = out.auth_login || iequals(mechanism, "LOGIN");
    }
  } else if (is("LIMITS")) {
    for (auto limit : parts) take_limit(out, limit);
  }
  out.pipelining = out.pipelining || is("PIPELINING");
  out.eight_bit_mime = out.eight_bit_mime || is("8BITMIME");
  out.smtputf8 = out.smtputf8 || is("SMTPUTF8");
  out.chunking = out.chunking || is("CHUNKING");
  out.starttls = out.starttls || is("STARTTLS");
  out.dsn = out.dsn || is("DSN");
  out.enhanced_codes = out.enhanced_codes || is("ENHANCEDSTATUSCODES");
}

}  // namespace

Extensions parse_extensions(const Reply& ehlo) {
  Extensions out;
  auto lines = ehlo.lines();
  for (std::size_t i = 1; i < lines.size(); ++i) {   // the first line is the server's name
    auto parts = words(lines[i]);
    if (!parts.empty()) take_keyword(out, parts);
  }
  return out;
}

}  // namespace postern::smtp_client
