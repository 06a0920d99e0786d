// Password rows: Argon2id by libargon2, SCRAM keys by OpenSSL.
#include "gateway/directory/passwords.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/mail/nfc.h"

namespace postern::directory {
namespace {

// 19 MiB and two passes: what OWASP asks for at least; some 20 ms, and bounded memory with one
// hash a core at a time.
constexpr std::uint32_t kPasses = 2;
constexpr std::uint32_t kKibibytes = 19 * 1024;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSalt = 16;
constexpr std::size_t kHash = 32;
// A stolen row would be attacked through its weaker half: far above the 4096 of RFC 7677 4, and
// still a fraction of a second for a client.
constexpr std::uint32_t kScramIterations = 100'000;
constexpr std::uint32_t kMaxScramIterations = 10'000'000;
constexpr std::size_t kMaxPassword = 1024;
constexpr std::size_t kMaxRow = 1024;
constexpr std::string_view kScram = "SCRAM-SHA-256$";

std::string argon2id(std::string_view password) {
  auto salt = random_octets(kSalt);
  std::vector<char> encoded(argon2_encodedlen(kPasses, kKibibytes, kLanes, kSalt, kHash, Argon2_id));
  int result = argon2id_hash_encoded(kPasses, kKibibytes, kLanes, password.data(), password.size(), salt.data(), salt.size(), kHash,
                                     encoded.data(), encoded.size());
  return result == ARGON2_OK ? std::string(encoded.data()) : std::string();   // only out of memory
}

// What an unknown user's password is measured against.  Made at first use, the same cost as a real one.
const std::string& dummy_hash() {
  static const std::string hash = argon2id("no account has this password");
  return hash;
}

std::optional<ScramVerifier> parse_scram(std::string_view text) {
  if (!text.starts_with(kScram)) return std::nullopt;
  auto fields = split(text.substr(kScram.size()), '$');
  if (fields.size() != 2) return std::nullopt;
  auto head = split(fields[0], ':');
  auto keys = split(fields[1], ':');
  if (head.size() != 2 || keys.size() != 2) return std::nullopt;
  auto iterations = parse_number(head[0]);
  auto salt = from_base64(head[1]);
  auto stored = from_base64(keys[0]);
  auto server = from_base64(keys[1]);
  if (!iterations || *iterations == 0 || *iterations > kMaxScramIterations || !salt || salt->empty()) return std::nullopt;
  if (!stored || stored->size() != SHA256_DIGEST_LENGTH || !server || server->size() != SHA256_DIGEST_LENGTH) return std::nullopt;
  ScramVerifier out;
  out.salt = std::move(*salt);
  out.iterations = static_cast<std::uint32_t>(*iterations);
  out.stored_key = std::move(*stored);
  out.server_key = std::move(*server);
  return out;
}

// Unicode's Zs less SP, as UTF-8; RFC 8265 4.2.2 2.
std::string with_plain_spaces(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto three = text.substr(i, 3);
    bool wide = three == "\u1680" || three == "\u202F" || three == "\u205F" || three == "\u3000" || (three >= "\u2000" && three <= "\u200A" && three.size() == 3);
    if (text.substr(i, 2) == "\u00A0") {
      out += ' ';
      i += 2;
    } else if (wide) {
      out += ' ';
      i += 3;
    } else {
      out += text[i++];
    }
  }
  return out;
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7F) return true;
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;   // C1
  }
  return false;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &length);
  return std::string(reinterpret_cast<const char*>(out.data()), length);
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return std::string(reinterpret_cast<const char*>(out.data()), out.size());
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> prepared_password(std::string_view password) {
  if (password.empty()) return Error("the password is empty");
  if (password.size() > kMaxPassword) return Error("the password is longer than 1024 octets");
  if (!is_utf8(password)) return Error("the password is no UTF-8 text");
  if (has_control(password)) return Error("the password holds a control character");
  auto normal = mail::nfc(with_plain_spaces(password));
  if (!normal) return Error("the password is no UTF-8 text");
  return std::move(*normal);
}

ScramVerifier make_scram_verifier(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> salted{};
  int made = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<const unsigned char*>(salt.data()),
                               static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(), static_cast<int>(salted.size()), salted.data());
  CHECK(made == 1);
  std::string_view salted_password(reinterpret_cast<const char*>(salted.data()), salted.size());
  ScramVerifier out;
  out.salt = salt;
  out.iterations = iterations;
  out.stored_key = sha256(hmac_sha256(salted_password, "Client Key"));
  out.server_key = hmac_sha256(salted_password, "Server Key");
  OPENSSL_cleanse(salted.data(), salted.size());
  return out;
}

Result<std::string> make_password_row(std::string_view password) {
  auto prepared = prepared_password(password);
  if (!prepared) return prepared.error();
  PasswordRow row;
  row.argon2id = argon2id(*prepared);
  if (row.argon2id.empty()) return Error("out of memory for the password hash");
  row.scram = make_scram_verifier(*prepared, random_octets(kSalt), kScramIterations);
  return to_string(row);
}

std::string to_string(const PasswordRow& row) {
  const auto& scram = row.scram;
  return row.argon2id + " " + std::string(kScram) + std::to_string(scram.iterations) + ":" + base64(scram.salt) + "$" + base64(scram.stored_key) + ":" +
         base64(scram.server_key);
}

std::optional<PasswordRow> parse_password_row(std::string_view row) {
  auto space = row.find(' ');
  if (space == std::string_view::npos || row.size() > kMaxRow || !row.starts_with("$argon2id$")) return std::nullopt;
  auto scram = parse_scram(row.substr(space + 1));
  if (!scram) return std::nullopt;
  PasswordRow out;
  out.argon2id = row.substr(0, space);
  out.scram = std::move(*scram);
  return out;
}

bool verify_password(std::string_view row, std::string_view password) {
  auto prepared = prepared_password(password);
  auto parsed = parse_password_row(row);
  // Every way through here hashes once: its time says nothing about the account.
  const std::string& hash = parsed ? parsed->argon2id : dummy_hash();
  std::string tried = prepared ? *prepared : std::string("no password");
  bool matches = argon2id_verify(hash.c_str(), tried.data(), tried.size()) == ARGON2_OK;
  return matches && parsed && prepared;
}

}  // namespace postern::directory
