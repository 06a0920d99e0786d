#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

// The password row of an account: an Argon2id hash (RFC 9106) for logins that show us the password,
// and a SCRAM-SHA-256 verifier (RFC 5802 3, RFC 7677) for those that do not.  Neither can be made
// from the other, so both are written when the password is set.
//
// One line of text: "$argon2id$v=19$m=...,t=...,p=1$SALT$HASH SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY"
// (the second word in the form of RFC 5803).
namespace postern::directory {

struct ScramVerifier {
  std::string salt;
  std::uint32_t iterations = 0;
  std::string stored_key;   // 32 octets
  std::string server_key;   // 32 octets
  bool operator==(const ScramVerifier&) const = default;
};

struct PasswordRow {
  std::string argon2id;   // PHC string
  ScramVerifier scram;
};

// RFC 8265 4.2 (OpaqueString): other spaces become SP, form C; refused: empty, over 1024 octets, no
// UTF-8, control characters.  Case is kept.
Result<std::string> prepared_password(std::string_view password);

// The row for a new password.  Blocks some 100 ms: not on a loop.
Result<std::string> make_password_row(std::string_view password);

// nullopt: no row of ours (an account without a password has "").
std::optional<PasswordRow> parse_password_row(std::string_view row);
std::string to_string(const PasswordRow& row);

// Is it the row's password?  Blocks 10-40 ms, the same whether the row is "" (unknown user, no
// password) or not; not on a loop.
bool verify_password(std::string_view row, std::string_view password);

// RFC 5802 3, with SHA-256.  `password` is prepared already.  Blocks.
ScramVerifier make_scram_verifier(std::string_view password, std::string_view salt, std::uint32_t iterations);

// HMAC-SHA-256, 32 octets.
std::string hmac_sha256(std::string_view key, std::string_view text);
std::string sha256(std::string_view text);
// Without telling by its time where the difference lies.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace postern::directory
