#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

// What a sender asks of reports on his message: the parameters of MAIL and RCPT in RFC 3461 4, RFC 6533 3.  Pure.
namespace postern::mail {

// NOTIFY of one recipient, RFC 3461 4.1.  When it was not given: a report on failure, and on delay if the server sees fit.
struct Notify {
  bool given = false;
  bool success = false;
  bool failure = true;
  bool delay = true;

  bool operator==(const Notify&) const = default;
  // As it is said in RCPT: "NEVER", "SUCCESS,FAILURE"; "" when it was not given.
  std::string text() const;
  // Asks for the same but for success: of a sender who may be forged.  Who asked for nothing else asks for nothing.
  Notify without_success() const;

  // For rows: below 16.
  std::uint8_t bits() const;
  static Notify from_bits(std::uint8_t bits);
};

// The value of NOTIFY, in any case of letters; nothing: it is none.
std::optional<Notify> parse_notify(std::string_view value);

// Of the values as they come, octets.
constexpr std::size_t kMaxEnvid = 100;    // RFC 3461 4.4
constexpr std::size_t kMaxOrcpt = 500;    // RFC 3461 4.2: behind the semicolon
constexpr std::size_t kMaxOrcptType = 40;

// Are these what RFC 3461 wants of a value, xtext included?  An Error says what is wrong with it.
Status check_envid(std::string_view value);
// `utf8`: the message is SMTPUTF8, and the address may be in octets above 127.
Status check_orcpt(std::string_view value, bool utf8);

}  // namespace postern::mail
