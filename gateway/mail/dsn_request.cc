// The DSN parameters of MAIL and RCPT: RFC 3461 4, with the addresses of RFC 6533 3.
#include "gateway/mail/dsn_request.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/xtext.h"

namespace postern::mail {
namespace {

constexpr std::uint8_t kGiven = 1, kSuccess = 2, kFailure = 4, kDelay = 8;

bool is_capital_hex(char c) { return is_digit(c) || (c >= 'A' && c <= 'F'); }

// RFC 3461 4: what stands for itself, and "+" with two capital digits.  `eight_bit`: octets above 127 too.
bool is_xtext(std::string_view text, bool eight_bit) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto octet = static_cast<unsigned char>(text[i]);
    if (octet == '+') {
      if (i + 2 >= text.size() || !is_capital_hex(text[i + 1]) || !is_capital_hex(text[i + 2])) return false;
      i += 2;
    } else if (octet <= ' ' || octet == '=' || octet == 0x7f || (octet > 0x7f && !eight_bit)) {
      return false;
    }
  }
  return true;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

}  // namespace

std::string Notify::text() const {
  if (!given) return {};
  std::string out;
  for (auto [wanted, word] : {std::pair(success, "SUCCESS"), std::pair(failure, "FAILURE"), std::pair(delay, "DELAY")}) {
    if (wanted) out += (out.empty() ? "" : ",") + std::string(word);
  }
  return out.empty() ? "NEVER" : out;
}

Notify Notify::without_success() const {
  Notify out = *this;
  out.success = false;
  return out;
}

std::uint8_t Notify::bits() const {
  return static_cast<std::uint8_t>((given ? kGiven : 0) | (success ? kSuccess : 0) | (failure ? kFailure : 0) | (delay ? kDelay : 0));
}

Notify Notify::from_bits(std::uint8_t bits) {
  Notify out;
  out.given = (bits & kGiven) != 0;
  out.success = (bits & kSuccess) != 0;
  out.failure = (bits & kFailure) != 0;
  out.delay = (bits & kDelay) != 0;
  return out;
}

std::optional<Notify> parse_notify(std::string_view value) {
  Notify out;
  out.given = true;
  out.failure = out.delay = false;
  if (iequals(value, "NEVER")) return out;
  for (auto word : split(value, ',')) {
    if (iequals(word, "SUCCESS")) out.success = true;
    else if (iequals(word, "FAILURE")) out.failure = true;
    else if (iequals(word, "DELAY")) out.delay = true;
    else return std::nullopt;   // also NEVER beside others, RFC 3461 4.1
  }
  return out;
}

Status check_envid(std::string_view value) {
  if (value.empty()) return Error("ENVID needs a value");
  if (value.size() > kMaxEnvid) return Error("ENVID is longer than " + std::to_string(kMaxEnvid) + " octets");
  if (!is_xtext(value, false)) return Error("ENVID is no xtext");
  auto decoded = xtext_decoded(value);
  // RFC 3461 4.4: it comes back as a field of the report.
  if (std::any_of(decoded.begin(), decoded.end(), is_control) || !is_ascii(decoded)) return Error("ENVID holds what cannot be printed");
  return {};
}

Status check_orcpt(std::string_view value, bool utf8) {
  auto semicolon = value.find(';');
  auto type = value.substr(0, semicolon);
  bool is_word = !type.empty() && std::all_of(type.begin(), type.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; });
  if (semicolon == std::string_view::npos || !is_word || type.size() > kMaxOrcptType) return Error("ORCPT is \"type;address\", such as rfc822;ann@example.org");
  auto address = value.substr(semicolon + 1);
  if (address.empty()) return Error("ORCPT has no address");
  if (address.size() > kMaxOrcpt) return Error("the address of ORCPT is longer than " + std::to_string(kMaxOrcpt) + " octets");
  bool unitext = utf8 && iequals(type, "utf-8") && is_utf8(address);
  if (!is_xtext(address, unitext)) return Error("the address of ORCPT is no xtext");
  auto decoded = xtext_decoded(address);
  if (std::any_of(decoded.begin(), decoded.end(), is_control)) return Error("the address of ORCPT holds what cannot be printed");
  return {};
}

}  // namespace postern::mail
